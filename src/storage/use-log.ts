/** Uses that are kept in memory, at most; beyond, the oldest is forgotten. */
const MAX_UNWRITTEN = 1_000;

/**
 * When entries were used last. A use is noted at once and written in batches: to write it, its whole row has to be put
 * again.
 */
export class UseLog {
  /** Uses that are not in the database yet, in their order. */
  #unwritten = new Map<string, number>();
  #last = 0;

  /** The present, as a time of use: never the same twice, and never earlier than the one before, whatever the clock does. */
  now(): number {
    const now = Date.now();
    return (this.#last = now > this.#last ? now : this.#last + 0.001);
  }

  /** @returns whether it is time to write */
  note(key: string): boolean {
    this.#unwritten.delete(key);
    this.#unwritten.set(key, this.now());
    if (this.#unwritten.size <= MAX_UNWRITTEN) return false;
    const [oldest] = this.#unwritten.keys();
    if (oldest !== undefined) this.#unwritten.delete(oldest);
    return true;
  }

  /** The keys whose last use is not written down. */
  get unwritten(): ReadonlySet<string> {
    return new Set(this.#unwritten.keys());
  }

  /** Hands over the uses that are to be written. */
  take(): ReadonlyMap<string, number> {
    const uses = this.#unwritten;
    this.#unwritten = new Map();
    return uses;
  }

  /** Takes back uses that could not be written. */
  giveBack(uses: ReadonlyMap<string, number>): void {
    this.#unwritten = new Map([...uses, ...this.#unwritten]);
  }
}
