import type { LocalChange, Usage } from "../../model/change.ts";
import { measureUse } from "../entries/usage.ts";
import { ENTRIES } from "../idb/schema.ts";
import { evict, type EvictPorts } from "./evict.ts";
import { excessOf, isLimited, minus, plus, type Limits } from "./limits.ts";
import { makeRoom } from "./make-room.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";
import type { Uses } from "./uses.ts";

export interface EvictorOptions extends Limits, EvictPorts, SweepPorts {
  readonly uses: Pick<Uses, "write" | "unwritten">;
  /** Runs `work` while no other tab evicts. */
  readonly alone: (work: () => Promise<void>) => Promise<unknown>;
}

/**
 * Keeps the database within its limits: removes expired entries first, then the least recently used ones, down to the limit and no
 * further. Must never evict an unconfirmed entry.
 */
export class Evictor {
  readonly #options: EvictorOptions;
  /** The content of the database, updated with this tab's commits; undefined: to be measured. */
  #usage: Usage | undefined;
  /** Everything over the limit was unconfirmed at the last attempt. */
  #isStuck = false;
  /** The number of calls of `grew`. */
  #growths = 0;
  #running: Promise<void> | undefined;

  constructor(options: EvictorOptions) {
    this.#options = options;
  }

  /**
   * Counts the changes that this engine has made. After a clear the database is measured again. Removals are counted when their
   * transactions are complete, which is later than their change.
   */
  apply(changes: readonly LocalChange[]): void {
    if (changes.some(({ type }) => type === "clear")) this.forgetCount();
    const growths = changes.flatMap((change) => ("grew" in change ? [change.grew] : []));
    if (growths.length > 0) this.grew(growths.reduce(plus));
  }

  /** To be called when this tab has changed the database. `by` is negative where it shrank. */
  grew(by: Usage): void {
    this.#growths++;
    if (this.#usage !== undefined) this.#usage = plus(this.#usage, by);
    if (!this.#isStuck) this.#enforce();
  }

  /** Must be called when another engine has changed the database (it enforces its limits itself), or when entries were removed. */
  forgetCount(): void {
    this.#usage = undefined;
    this.#isStuck = false;
  }

  /** To be called when the database may have any content, and may be over the limits. */
  remeasure(): void {
    this.forgetCount();
    this.#enforce();
  }

  /** To be called when a write was confirmed: its entry may be evicted from now on. */
  unstick(): void {
    if (!this.#isStuck) return;
    this.#isStuck = false;
    this.#enforce();
  }

  /** Resolves when no eviction is running. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Frees space on a full disk. @param keys the keys being written: they stay. @returns whether anything was removed */
  async makeRoom(bytes: number, keys: readonly string[]): Promise<boolean> {
    const hasRoom = await makeRoom(this.#options, bytes, keys, this.#options.uses.unwritten);
    this.remeasure();
    return hasRoom;
  }

  /** Evicts down to the limits, in the background. After a failure, the next write tries again. */
  #enforce(): void {
    if (!isLimited(this.#options) || (this.#usage !== undefined && excessOf(this.#usage, this.#options) === undefined)) return;
    this.#running ??= this.#evictToLimits().catch(() => undefined);
  }

  async #evictToLimits(): Promise<void> {
    // #running must hold this promise before it can end.
    await Promise.resolve();
    let seen: number | undefined;
    try {
      await this.#options.alone(async () => {
        do seen = this.#growths;
        while (await this.#evictOnce());
      });
    } finally {
      this.#running = undefined;
    }
    // The usage may have grown after the last look at it.
    if (seen !== undefined && seen !== this.#growths && !this.#isStuck) this.#enforce();
  }

  /** @returns whether there may be more to evict */
  async #evictOnce(): Promise<boolean> {
    const usage = this.#usage ?? (await this.#measure());
    const excess = excessOf(usage, this.#options);
    // Usage that grew while it was measured is measured again.
    if (excess === undefined) return this.#usage === undefined;
    await this.#options.uses.write();
    if ((await sweep(this.#options)) > 0) {
      this.#usage = undefined;
      return true;
    }
    const evicted = await evict(this.#options, excess);
    if (this.#usage !== undefined) this.#usage = minus(this.#usage, evicted);
    this.#isStuck = evicted.entries === 0;
    return !this.#isStuck;
  }

  async #measure(): Promise<Usage> {
    const growths = this.#growths;
    const usage = await this.#options.database.run([ENTRIES], "readonly", (transaction) => measureUse(transaction));
    if (growths === this.#growths) this.#usage = usage;
    return usage;
  }
}
