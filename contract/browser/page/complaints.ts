/** Reports console warnings, console errors and uncaught errors of this realm. An engine's own console lines are not among them. */
export function watchRealm(report: (line: string) => void): void {
  for (const level of ["warn", "error"] as const) {
    const original = console[level];
    console[level] = (...args: unknown[]) => {
      report(`console.${level}: ${args.map(String).join(" ")}`);
      original.apply(console, args);
    };
  }
  globalThis.addEventListener("error", (event) => report(`uncaught: ${event.message}`));
  globalThis.addEventListener("unhandledrejection", ({ reason }) => report(`unhandled rejection: ${described(reason)}`));
}

/** An error with its message and stack: only Chromium's stacks begin with the message. */
export function described(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
}
