type Listeners = { readonly [Type in "pagehide" | "pageshow"]?: (event: PageTransitionEvent) => void };

/** Follows the page or worker of the stores, until the returned function is called. */
export function followPage(listeners: Listeners): () => void {
  const following = new AbortController();
  // Node with an IndexedDB made for tests has no such events.
  for (const [type, listener] of Object.entries(listeners)) globalThis.addEventListener?.(type as "pagehide", listener, following);
  return () => following.abort();
}
