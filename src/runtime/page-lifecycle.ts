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
  const show = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) return;
    // Not every browser has dispatched the event: the page must not be released when it is hidden later.
    globalThis.removeEventListener("visibilitychange", onHide);
    onReturn();
  };
  globalThis.addEventListener?.("pageshow", show, { signal });
  return () => following.abort();
}
