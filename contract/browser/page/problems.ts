/** Reports console warnings, console errors and uncaught errors of this realm. It does not see the browser's own console messages. */
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

/** The name, message and stack of an error. Only Chromium's stacks include the message. */
export function described(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
}
