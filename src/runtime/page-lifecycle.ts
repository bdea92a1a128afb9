export interface PageListener {
  /** The network or the page's visibility is back: a good moment to publish what waits. */
  onWake(): void;
  /** The browser says that it has no network. */
  onOffline(): void;
  /** The page goes away, for ever or into the back/forward cache. */
  onHide(): void;
  /** The page is back from the back/forward cache; much may have happened meanwhile. */
  onReturn(): void;
}

/** Follows the page (or worker) that the store lives in, until the function returned is called. */
export function followPage({ onWake, onOffline, onHide, onReturn }: PageListener): () => void {
  const following = new AbortController();
  const { signal } = following;
  const scope = globalThis as unknown as EventTarget;
  // In Node, with an IndexedDB made for tests, there is nothing to follow.
  if (typeof scope.addEventListener !== "function") return () => undefined;
  scope.addEventListener("online", onWake, { signal });
  scope.addEventListener("offline", onOffline, { signal });
  scope.addEventListener("pagehide", onHide, { signal });
  scope.addEventListener("pageshow", (event) => (event as PageTransitionEvent).persisted && onReturn(), { signal });
  const page = globalThis.document as Document | undefined;
  page?.addEventListener("visibilitychange", () => page.visibilityState === "visible" && onWake(), { signal });
  return () => following.abort();
}
