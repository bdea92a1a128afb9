import type { Change } from "../model/change.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import { unlessAborted } from "../util/abort.ts";

/** A value that was loaded, or that another tab has loaded: encoded, so that each call decodes a fresh copy. */
export interface Loaded {
  readonly payload: Payload;
  readonly format: KeyFormat;
}

/** A load of a key under way, and the calls of the page that wait for it. */
export class Loading {
  readonly #key: string;
  readonly #tags: readonly string[];
  readonly #ending = new AbortController();
  readonly #loaded: Promise<Loaded>;
  #waiting = 0;
  #isInBackground = false;
  /** The key was written, deleted or invalidated since this was set to false: what is being loaded may be older. */
  isOvertaken = false;

  /** @param tags those that the value gets. @param run loads the value, unless `signal` is aborted before */
  constructor(key: string, tags: readonly string[], run: (loading: Loading) => Promise<Loaded>) {
    this.#key = key;
    this.#tags = tags;
    this.#loaded = run(this);
    // Nobody may be waiting.
    this.#loaded.catch(() => undefined);
  }

  /** Aborted once no call waits any more. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Resolves when the load has ended, however. */
  async ended(): Promise<void> {
    await this.#loaded.catch(() => undefined);
  }

  /** @param signal ends this wait, and the load if no other call waits. @throws what `load` throws */
  wait(signal: AbortSignal | undefined): Promise<Loaded> {
    this.#waiting++;
    return unlessAborted(this.#loaded, signal, () => {
      this.#leave(signal?.reason);
      throw signal?.reason;
    });
  }

  /** Goes on although no call waits, until `endInBackground`. */
  keep(): void {
    this.#isInBackground = true;
    this.#waiting++;
  }

  /** To be called once. */
  endInBackground(reason: unknown): void {
    if (this.#isInBackground) this.#leave(reason);
  }

  /** Receives the changes of the change feed. Those of an invalidation come later than the call of `invalidate`. */
  apply(changes: readonly Change[]): void {
    const overtakes = (change: Change): boolean =>
      change.type === "clear" || (change.key === this.#key && ["store", "delete"].includes(change.type));
    this.isOvertaken ||= changes.some(overtakes);
  }

  /** An invalidation begins, in any tab. It marks no absent entry, and none that is stale already. */
  invalidate(matches: (key: string) => boolean, tag: string | undefined): void {
    this.isOvertaken ||= matches(this.#key) && (tag === undefined || this.#tags.includes(tag));
  }

  #leave(reason: unknown): void {
    if (--this.#waiting === 0) this.#ending.abort(reason);
  }
}
