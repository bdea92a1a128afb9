export interface PageListener {
  /** The page enters the back/forward cache. */
  onHide(): void;
  /** The page is back from the back/forward cache. Anything may have changed. */
  onReturn(): void;
}

/** Follows the page or worker of the stores, until the returned function is called. */
export function followPage({ onHide, onReturn }: PageListener): () => void {
  const following = new AbortController();
  const { signal } = following;
  const leave = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) return;
    // Apps store drafts in `visibilitychange`, which follows `pagehide` unless the page is hidden already.
    const isVisible = (globalThis.document as Document | undefined)?.visibilityState === "visible";
    if (isVisible) globalThis.addEventListener("visibilitychange", onHide, { once: true, signal });
    else onHide();
  };
  // Node with an IndexedDB made for tests has no such events.
  globalThis.addEventListener?.("pagehide", leave, { signal });
  globalThis.addEventListener?.("pageshow", ({ persisted }) => persisted && onReturn(), { signal });
  return () => following.abort();
}
