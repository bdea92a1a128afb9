/** More uses than this are not kept; the oldest are forgotten. */
const MAX_UNWRITTEN = 1_000;
/** After this many notes, all but the last use of each key are dropped. */
const MAX_NOTES = 4 * MAX_UNWRITTEN;

/** The uses of entries that are not in the database yet. */
export class UseLog {
  /**
   * Keys and times, in order. A key may be there many times: to remove its last use at each new one would cost a tenth of a read
   * from memory.
   */
  #keys: string[] = [];
  #times: number[] = [];
  #last = 0;

  /** A time of use: the given time, or a moment after the last one. Never returns the same time twice, nor an earlier one. */
  next(now: number): number {
    // The second step is for times so large that a double does not hold thousandths.
    const later = this.#last + Math.max(0.001, this.#last * Number.EPSILON);
    return (this.#last = now > this.#last ? now : later);
  }

  /** @returns whether the log is full of different keys, and should be written */
  note(key: string, now: number): boolean {
    this.#times.push(this.next(now));
    if (this.#keys.push(key) < MAX_NOTES) return false;
    const uses = this.take();
    this.giveBack(uses);
    return uses.size === MAX_UNWRITTEN;
  }

  get keys(): ReadonlySet<string> {
    return new Set(this.#keys);
  }

  /** Removes the uses from the log: the last use of each key, in order. */
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

  /** Puts back uses that could not be written. */
  giveBack(uses: ReadonlyMap<string, number>): void {
    this.#keys.unshift(...uses.keys());
    this.#times.unshift(...uses.values());
  }
}
