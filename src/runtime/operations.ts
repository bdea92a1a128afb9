import { aboutKey, KeyStoreError } from "../util/errors.ts";

/** The operations of a store: refused after `close`, which waits for those under way. */
export class Operations {
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  get isOpen(): boolean {
    return this.#closing === undefined;
  }

  /**
   * Runs an operation. An error that it throws becomes a rejection.
   * @param key named by the operation's errors
   * @throws KeyStoreError CLOSED
   */
  async run<T>(work: () => Promise<T>, key?: string): Promise<T> {
    try {
      if (!this.isOpen) throw new KeyStoreError("CLOSED", "The store is closed. Create a new instance.");
      const running = work();
      this.#underWay.add(running);
      return await running.finally(() => this.#underWay.delete(running));
    } catch (error) {
      throw aboutKey(key, error);
    }
  }

  /** Waits for the operations under way, then calls `end` once. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(end);
    return this.#closing;
  }
}
