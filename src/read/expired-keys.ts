import type { Change } from "../model/change.ts";

/** Keys that were found to have expired and whose rows may still exist. They stay absent even if the clock jumps back. */
export class ExpiredKeys {
  readonly #onExpired: (keys: readonly string[], now: number) => void;
  /** Key → the time at which it was found to have expired. */
  readonly #found = new Map<string, number>();

  /** @param onExpired reports entries that are found to have expired, and removes their rows */
  constructor(onExpired: (keys: readonly string[], now: number) => void) {
    this.#onExpired = onExpired;
  }

  /** The time by which to judge a key: `now`, or the time at which it was found to have expired, if that is later. */
  timeFor(key: string, now: number): number {
    return Math.max(now, this.#found.get(key) ?? now);
  }

  add(keys: readonly string[], now: number): void {
    const added = keys.filter((key) => !this.#found.has(key));
    for (const key of added) this.#found.set(key, now);
    if (added.length > 0) this.#onExpired(added, now);
  }

  /** The rows of these keys no longer exist. */
  removed(keys: readonly string[]): void {
    for (const key of keys) this.#found.delete(key);
  }

  /** Receives the changes of the change feed: a key that is written again has not expired. */
  apply(changes: readonly Change[]): void {
    if (this.#found.size === 0) return;
    for (const change of changes) if (change.type === "store" || change.type === "delete") this.#found.delete(change.key);
  }
}
