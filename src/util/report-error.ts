/** Reports an error of the app's own code as uncaught, and goes on. */
export function reportUncaught(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  // Node has no such function.
  else
    queueMicrotask(() => {
      throw error;
    });
}
