/**
 * When entries were used last. A use is noted at once and written in batches: to write it, its whole row has to be put
 * again.
 */
export class UseLog {
  /** Uses that are not in the database yet. */
  #unwritten = new Map<string, number>();
  #last = 0;

  /** The present, as a time of use: never the same twice, and never earlier than the one before, whatever the clock does. */
  now(): number {
    return (this.#last = Math.max(Date.now(), this.#last + 0.001));
  }

  note(key: string): void {
    this.#unwritten.set(key, this.now());
  }

  /** Hands over the uses that are to be written. */
  take(): ReadonlyMap<string, number> {
    const uses = this.#unwritten;
    this.#unwritten = new Map();
    return uses;
  }

  get isEmpty(): boolean {
    return this.#unwritten.size === 0;
  }
}
