export interface WakeListener {
  /** The network or the page's visibility is back: a good moment to publish the outbox. */
  onWake(): void;
  /** The browser has lost its network. */
  onOffline(): void;
  /** The page ends, or enters the back/forward cache. */
  onLeave(): void;
}

/** Follows the network, the visibility and the end of the page, until the returned function is called. */
export function followWakeEvents({ onWake, onOffline, onLeave }: WakeListener): () => void {
  const following = new AbortController();
  const { signal } = following;
  // Node with an IndexedDB made for tests has no such events.
  globalThis.addEventListener?.("online", onWake, { signal });
  globalThis.addEventListener?.("offline", onOffline, { signal });
  // `capture`: before the listeners of the app, which may store drafts.
  globalThis.addEventListener?.("pagehide", onLeave, { signal, capture: true });
  const page = globalThis.document as Document | undefined;
  page?.addEventListener("visibilitychange", () => page.visibilityState === "visible" && onWake(), { signal });
  return () => following.abort();
}
