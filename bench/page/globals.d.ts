/** What page/main.ts puts there. */
declare var bench: (typeof import("./main.ts"))["bench"];
