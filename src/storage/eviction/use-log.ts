/** Uses that are kept in memory, at most; beyond, the oldest are forgotten. */
const MAX_UNWRITTEN = 1_000;
/** So many notes are made before they are looked through. */
const MAX_NOTES = 4 * MAX_UNWRITTEN;

/**
 * When entries were used last. A use is noted at once and written in batches: to write it, its whole row has to be put
 * again.
 */
export class UseLog {
  /**
   * Uses that are not in the database yet, in their order, with their times; of a key perhaps many. To take out the one
   * before at each use would be a tenth of a read from memory.
   */
  #keys: string[] = [];
  #times: number[] = [];
  #last = 0;

  /** The present, as a time of use: never the same twice, and never earlier than the one before, whatever the clock does. */
  now(now = Date.now()): number {
    return (this.#last = now > this.#last ? now : this.#last + 0.001);
  }

  /**
   * @param now what the clock says
   * @returns whether it is time to write
   */
  note(key: string, now = Date.now()): boolean {
    this.#times.push(this.now(now));
    if (this.#keys.push(key) < MAX_NOTES) return false;
    const uses = this.take();
    this.giveBack(uses);
    return uses.size === MAX_UNWRITTEN;
  }

  /** The keys whose last use is not written down. */
  get unwritten(): ReadonlySet<string> {
    return new Set(this.#keys);
  }

  /** Hands over the uses that are to be written: each key's last one, in their order. */
  take(): ReadonlyMap<string, number> {
    const uses = new Map<string, number>();
    for (let at = this.#keys.length - 1; at >= 0 && uses.size < MAX_UNWRITTEN; at--) {
      const key = this.#keys[at] as string;
      if (!uses.has(key)) uses.set(key, this.#times[at] as number);
    }
    this.#keys = [];
    this.#times = [];
    return new Map([...uses].toReversed());
  }

  /** Takes back uses that could not be written. */
  giveBack(uses: ReadonlyMap<string, number>): void {
    this.#keys.unshift(...uses.keys());
    this.#times.unshift(...uses.values());
  }
}
