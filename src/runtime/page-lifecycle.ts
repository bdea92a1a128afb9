export interface PageListener {
  /** The page is closed, or enters the back/forward cache. */
  onHide(): void;
  /** The page is back from the back/forward cache. Anything may have changed. */
  onReturn(): void;
}

/** Follows the page or worker of the store, until the returned function is called. */
export function followPage({ onHide, onReturn }: PageListener): () => void {
  const following = new AbortController();
  const { signal } = following;
  // Node with an IndexedDB made for tests has no such events.
  globalThis.addEventListener?.("pagehide", onHide, { signal });
  globalThis.addEventListener?.("pageshow", ({ persisted }) => persisted && onReturn(), { signal });
  return () => following.abort();
}
