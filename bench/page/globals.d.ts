/** The functions of page/main.ts. */
declare var bench: (typeof import("./main.ts"))["bench"];
