export interface PageListener {
  /** The network or the page's visibility is back: a good moment to publish the outbox. */
  onWake(): void;
  /** The browser has lost its network. */
  onOffline(): void;
  /** The page is closed, or enters the back/forward cache. */
  onHide(): void;
  /** The page is back from the back/forward cache. Anything may have changed. */
  onReturn(): void;
}

/** Follows the page or worker of the store, until the returned function is called. */
export function followPage({ onWake, onOffline, onHide, onReturn }: PageListener): () => void {
  const following = new AbortController();
  const { signal } = following;
  const scope = globalThis as unknown as EventTarget;
  // Node with an IndexedDB made for tests has no such events.
  if (typeof scope.addEventListener !== "function") return () => undefined;
  scope.addEventListener("online", onWake, { signal });
  scope.addEventListener("offline", onOffline, { signal });
  scope.addEventListener("pagehide", onHide, { signal });
  scope.addEventListener("pageshow", (event) => (event as PageTransitionEvent).persisted && onReturn(), { signal });
  const page = globalThis.document as Document | undefined;
  page?.addEventListener("visibilitychange", () => page.visibilityState === "visible" && onWake(), { signal });
  return () => following.abort();
}
