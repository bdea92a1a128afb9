import { isForbidden, lockManager } from "../tabs/locks.ts";
import type { Clock } from "../util/clock.ts";

export interface BackgroundPullPorts {
  readonly clock: Clock;
  /** The Web Lock that the tab that pulls holds while it is visible. */
  readonly lock: string;
  readonly everyMs: number;
  /** Must end soon after the signal is aborted. */
  readonly pull: (signal: AbortSignal) => Promise<unknown>;
}

/**
 * Pulls at an interval, in one visible tab of the browser: as soon as the tab has the lock, then after each interval, and when the browser is
 * online again. A hidden tab gives the lock back, and another visible one takes over: the back/forward cache takes no page that holds a lock. A
 * worker counts as a visible tab.
 */
export class BackgroundPull {
  readonly #ports: BackgroundPullPorts;
  /** Aborted when the page is hidden. Undefined: it is hidden. */
  #visible: AbortController | undefined;
  readonly #following = new AbortController();
  /** The pull under way, or the last one. */
  #pulling: Promise<unknown> = Promise.resolve();
  /** Ends the pause before the next pull. */
  #endPause = (): void => undefined;

  constructor(ports: BackgroundPullPorts) {
    this.#ports = ports;
  }

  start(): void {
    const { signal } = this.#following;
    const follow = (): void => (isVisible() ? this.#show() : this.#hide());
    // Node with an IndexedDB made for tests has no such events.
    (globalThis.document as Document | undefined)?.addEventListener("visibilitychange", follow, { signal });
    globalThis.addEventListener?.("pageshow", follow, { signal });
    globalThis.addEventListener?.("pagehide", () => this.#hide(), { signal });
    globalThis.addEventListener?.("online", () => this.#endPause(), { signal });
    follow();
  }

  /** Resolves when no pull is under way. */
  async stop(): Promise<void> {
    this.#following.abort();
    this.#hide();
    await this.#pulling;
  }

  #hide(): void {
    this.#visible?.abort();
    this.#visible = undefined;
  }

  #show(): void {
    if (this.#visible !== undefined || this.#following.signal.aborted) return;
    const { signal } = (this.#visible = new AbortController());
    const pullWhileVisible = (): Promise<void> => this.#pullUntil(signal);
    const locks = lockManager();
    if (locks === undefined) void pullWhileVisible();
    else {
      locks.request(this.#ports.lock, { signal }, pullWhileVisible).catch((error: unknown) => {
        if (isForbidden(error)) return pullWhileVisible();
      });
    }
  }

  /** Resolves at once when the signal is aborted: the lock must be free before the page is in the back/forward cache. */
  async #pullUntil(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    while (!signal.aborted) {
      // Before the pull: the browser may be online again while it fails.
      const pauseEnded = new Promise<void>((resolve) => (this.#endPause = resolve));
      // After the one that was aborted. After a failure, the next pull tries again.
      this.#pulling = this.#pulling.then(() => signal.aborted || this.#ports.pull(signal)).catch(() => undefined);
      await Promise.race([aborted, this.#pulling]);
      const timer = this.#ports.clock.setTimer(this.#endPause, this.#ports.everyMs);
      await Promise.race([aborted, pauseEnded]);
      timer.cancel();
    }
  }
}

/** A worker has no document. */
function isVisible(): boolean {
  const page = globalThis.document as Document | undefined;
  return page === undefined || page.visibilityState === "visible";
}
