import { isForbidden, lockManager } from "./locks.ts";

export interface LivenessListener {
  /** This page now holds its liveness lock, so other tabs can watch it. */
  onBegun(): void;
  /** A watched page has ended. */
  onDeath(): void;
}

/**
 * The liveness lock: each page holds one for a namespace while it lives, and the browser releases it when the tab dies. Other tabs wait for
 * the lock, so they learn of a death at once, however slow the timers of a hidden tab are.
 */
export class Liveness {
  readonly #prefix: string;
  readonly #self: string;
  readonly #listener: LivenessListener;
  /** Releases the lock of this page, and ends its requests for the locks of others. Undefined: the page has not asked for its lock. */
  #ending: AbortController | undefined;
  readonly #watched = new Set<string>();

  /** @param prefix the name of a lock is this, followed by a page id */
  constructor(prefix: string, self: string, listener: LivenessListener) {
    this.#prefix = prefix;
    this.#self = self;
    this.#listener = listener;
  }

  /** Takes the lock, and watches every page that lives now. */
  async begin(): Promise<void> {
    const locks = lockManager();
    if (locks === undefined || this.#ending !== undefined) return;
    const ending = (this.#ending = new AbortController());
    const { signal } = ending;
    const held = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const live = (): Promise<void> => {
      this.#listener.onBegun();
      return held;
    };
    locks.request(this.#prefix + this.#self, { signal }, live).catch(() => undefined);
    await this.watchAll();
  }

  /** Watches every page that lives now. */
  async watchAll(): Promise<void> {
    for (const pageId of await this.living()) this.watch(pageId);
  }

  /** Calls `onDeath` when another page ends. */
  watch(pageId: string): void {
    const signal = this.#ending?.signal;
    if (signal === undefined || signal.aborted || pageId === this.#self || this.#watched.has(pageId)) return;
    this.#watched.add(pageId);
    lockManager()
      // Shared: a busy tab must not keep other watchers from the lock.
      ?.request(this.#prefix + pageId, { signal, mode: "shared" }, () => undefined)
      .then(() => this.#listener.onDeath())
      .catch(() => undefined)
      .finally(() => this.#watched.delete(pageId));
  }

  /**
   * The pages that hold their lock or have asked for it. For a moment after a page has come back, its watchers may hold the lock that it
   * asks for. Watchers hold it shared, so they do not count.
   */
  async living(): Promise<Set<string>> {
    const { held = [], pending = [] } =
      (await lockManager()
        ?.query()
        .catch((error) => (isForbidden(error) ? undefined : Promise.reject(error)))) ?? {};
    return new Set(
      [...held, ...pending].flatMap(({ name = "", mode }) =>
        mode === "exclusive" && name.startsWith(this.#prefix) ? [name.slice(this.#prefix.length)] : [],
      ),
    );
  }

  /** Releases the lock: other tabs may take over. `begin` takes it again, when the page comes back. */
  end(): void {
    this.#ending?.abort();
    this.#ending = undefined;
  }
}
