import type { BrowserContext } from "@playwright/test";

/** Chromium's own line about a WebSocket that did not come about, or was lost: no code of ours can keep it from printing that. */
const FAILED_SOCKET = /^WebSocket connection to '.*' failed: /;

/** Notes what pages warn of or throw, so that a test fails by it. */
export interface ConsoleGuard {
  /** Another context than the test's own. */
  watch(context: BrowserContext): void;
  /** For a test that takes the server away. */
  allowFailedSockets(): void;
  /** What was seen and is not allowed. */
  complaints(): string[];
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
    complaints: () => seen.filter((line) => !(failedSocketsAllowed && FAILED_SOCKET.test(line))),
  };
}
