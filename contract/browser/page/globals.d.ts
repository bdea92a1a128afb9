/** Runs a case in a page of the contract suite. */
declare var runCase: (run: import("../run.ts").Run) => Promise<import("../run.ts").Outcome>;
