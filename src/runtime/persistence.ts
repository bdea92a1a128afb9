/** Asks the browser, at the first call, not to clear the site's storage by itself. The browser may refuse. */
export function persistOnce(): () => void {
  let hasAsked = false;
  return () => {
    if (!hasAsked) void persist().catch(() => undefined);
    hasAsked = true;
  };
}

async function persist(): Promise<void> {
  await navigator.storage.persist();
}
