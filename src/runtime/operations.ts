import { aboutKey, storeClosed } from "../util/errors.ts";
import type { WriteSide } from "./write-side.ts";

/**
 * The operations of a store: refused after `close`, which waits for those under way. A read sees every write that was called before it,
 * awaited or not, unless that write fails.
 */
export class Operations {
  readonly #loadWriteSide: () => Promise<WriteSide>;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Key → calls under way that write it; undefined → those that write every key. Counted from the call: the write side may be loading. */
  readonly #writes = new Map<string | undefined, number>();
  #closing: Promise<void> | undefined;

  constructor(loadWriteSide: () => Promise<WriteSide>) {
    this.#loadWriteSide = loadWriteSide;
  }

  /** @throws KeyStoreError CLOSED */
  assertOpen(key?: string): void {
    if (this.#closing !== undefined) throw storeClosed(key);
  }

  /**
   * Runs an operation. An error that it throws becomes a rejection.
   * @param key named by the operation's errors
   * @throws KeyStoreError CLOSED
   */
  async run<T>(work: () => Promise<T>, key?: string): Promise<T> {
    try {
      this.assertOpen();
      const running = work();
      this.#underWay.add(running);
      return await running.finally(() => this.#underWay.delete(running));
    } catch (error) {
      throw aboutKey(key, error);
    }
  }

  /** Whether a read of the key need not wait: the store is open, and no call under way writes the key. */
  mayRead(key: string): boolean {
    return this.#closing === undefined && !this.#writes.has(key) && !this.#writes.has(undefined);
  }

  /** @param keys undefined among them: every key */
  write<T>(keys: readonly (string | undefined)[], work: (writeSide: WriteSide) => Promise<T>): Promise<T> {
    const count = (change: number): void => {
      for (const key of keys) {
        const calls = (this.#writes.get(key) ?? 0) + change;
        this.#writes.set(key, calls);
        if (calls === 0) this.#writes.delete(key);
      }
    };
    count(1);
    return this.#loadWriteSide()
      .then(work)
      .finally(() => count(-1));
  }

  /** A read of a key that does not need the write side. It waits until earlier writes of the key are committed or have failed. */
  read<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.mayRead(key)) return work();
    // Without a write side the writes fail, and the read need not.
    return this.#loadWriteSide()
      .then(({ writesCommitted }) => writesCommitted([key]))
      .then(work, work);
  }

  /** Waits for the operations under way, then calls `end` once. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(end);
    return this.#closing;
  }
}
