import type { BrowserContext } from "@playwright/test";

/** The browser's own messages about a WebSocket that failed to open or was lost. The library cannot prevent them. */
const FAILED_SOCKET = [
  /^WebSocket connection to '.*' failed: /, // Chromium
  /^uncaught: Firefox can’t establish a connection to the server at wss?:/, // Firefox; Playwright reports it as an uncaught error
  /^uncaught: The connection to wss?:\S+ was interrupted while the page was loading\./, // Firefox, also on a reload
];

/** Whether a console line is the browser's report of a failed WebSocket. */
export function isFailedSocket(line: string): boolean {
  return FAILED_SOCKET.some((known) => known.test(line));
}

/** Collects the warnings and errors of pages, so that a test fails because of them. */
export interface ConsoleGuard {
  /** Watches a context besides that of the test. */
  watch(context: BrowserContext): void;
  /** For a test that makes the server unreachable. */
  allowFailedSockets(): void;
  /** The warnings and errors that are not allowed. */
  problems(): string[];
}

export function createConsoleGuard(): ConsoleGuard {
  const seen: string[] = [];
  let failedSocketsAllowed = false;
  return {
    watch: (context) => {
      context.on("console", (message) => {
        if (["warning", "error"].includes(message.type())) seen.push(message.text());
      });
      context.on("weberror", (uncaught) => seen.push(`uncaught: ${uncaught.error().stack ?? uncaught.error().message}`));
    },
    allowFailedSockets: () => void (failedSocketsAllowed = true),
    problems: () => seen.filter((line) => !(failedSocketsAllowed && isFailedSocket(line))),
  };
}
