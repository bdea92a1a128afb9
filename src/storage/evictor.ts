import { isTombstone } from "../entry/row.ts";
import type { Database } from "./database.ts";
import { leastRecentlyUsed, measureUse, putRow, removeRow, rowOf, type Usage } from "./entry-table.ts";
import { ENTRIES, OUTBOX } from "./schema.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";
import type { UseLog } from "./use-log.ts";

/** One transaction evicts so many entries, that nobody waits for long behind it. */
const BATCH = 100;

export interface EvictorOptions extends SweepPorts {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly onEvicted: (keys: readonly string[]) => void;
}

/**
 * Keeps the database within its limits: what has expired goes first, then the entries that were used least recently, down
 * to the limit and no further. Must never evict what is not confirmed.
 */
export class Evictor {
  readonly #database: Database;
  readonly #uses: UseLog;
  readonly #options: EvictorOptions;
  /** What the database holds, kept up with what this tab commits and other tabs tell; undefined: to be measured. */
  #usage: Usage | undefined;
  #running: Promise<void> | undefined;

  constructor(database: Database, uses: UseLog, options: EvictorOptions) {
    this.#database = database;
    this.#uses = uses;
    this.#options = options;
  }

  get isLimited(): boolean {
    return this.#options.maxEntries < Infinity || this.#options.maxBytes < Infinity;
  }

  /** The database has grown, by a negative number where it shrank. */
  grew(by: Usage): void {
    if (!this.isLimited) return;
    if (this.#usage !== undefined) {
      this.#usage = { entries: this.#usage.entries + by.entries, bytes: this.#usage.bytes + by.bytes };
    }
    this.enforce();
  }

  /** Nobody knows what the database holds now. */
  remeasure(): void {
    this.#usage = undefined;
    this.enforce();
  }

  /** Evicts down to the limits, in the background. What fails is made good after the next write. */
  enforce(): void {
    if (!this.isLimited || (this.#usage !== undefined && this.#excess(this.#usage) === undefined)) return;
    this.#running ??= this.#enforce().catch(() => undefined);
  }

  /** Resolves when nothing is being evicted. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Writes down the uses noted so far. */
  async writeUses(): Promise<void> {
    if (this.#uses.isEmpty) return;
    await this.#database.run([ENTRIES], "readwrite", (transaction) => this.#writeUses(transaction));
  }

  /**
   * Makes room when the browser has none left.
   * @returns whether anything went
   */
  async makeRoom(bytes: number): Promise<boolean> {
    const swept = await sweep(this.#database, this.#options);
    const evicted = await this.#evict({ entries: 0, bytes });
    this.#usage = undefined;
    return swept + evicted > 0;
  }

  async #enforce(): Promise<void> {
    // One turn later, so that #running holds this promise before it can end.
    await Promise.resolve();
    try {
      for (let gone = 1; gone > 0; ) {
        this.#usage ??= await this.#database.run([ENTRIES], "readonly", (transaction) => measureUse(transaction));
        const excess = this.#excess(this.#usage);
        if (excess === undefined) return;
        gone = await sweep(this.#database, this.#options);
        if (gone > 0) this.#usage = undefined;
        else gone = await this.#evict(excess);
      }
    } finally {
      // Must follow the last look at the usage without a turn between, in which it could grow unseen.
      this.#running = undefined;
    }
  }

  /** How far the database is over its limits. */
  #excess({ entries, bytes }: Usage): Usage | undefined {
    const { maxEntries, maxBytes } = this.#options;
    if (entries <= maxEntries && bytes <= maxBytes) return undefined;
    return { entries: Math.max(0, entries - maxEntries), bytes: Math.max(0, bytes - maxBytes) };
  }

  /**
   * Evicts at least so much, as far as there is something to evict.
   * @returns how many entries were evicted
   */
  async #evict({ entries, bytes }: Usage): Promise<number> {
    let evicted = 0;
    let freed = 0;
    for (let after: IDBValidKey | undefined, more = true; more && (evicted < entries || freed < bytes); ) {
      const gone = await this.#database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
        await this.#writeUses(transaction);
        const keys: string[] = [];
        const candidates = await leastRecentlyUsed(transaction, after, BATCH);
        for (const { key, position } of candidates) {
          if (evicted + keys.length >= entries && freed >= bytes) break;
          after = position;
          const row = await rowOf(transaction, key);
          if (row === undefined || isTombstone(row)) continue;
          if ((await this.#options.stateOf(transaction, row.writeId)) !== undefined) continue;
          removeRow(transaction, key);
          keys.push(key);
          freed += row.size;
        }
        more = candidates.length === BATCH;
        return keys;
      });
      evicted += gone.length;
      if (gone.length > 0) this.#options.onEvicted(gone);
    }
    if (this.#usage !== undefined) {
      this.#usage = { entries: this.#usage.entries - evicted, bytes: this.#usage.bytes - freed };
    }
    return evicted;
  }

  async #writeUses(transaction: IDBTransaction): Promise<void> {
    for (const [key, lastUsed] of this.#uses.take()) {
      const row = await rowOf(transaction, key);
      if (row !== undefined && !isTombstone(row) && row.lastUsed < lastUsed) putRow(transaction, key, { ...row, lastUsed });
    }
  }
}
