import { isDamagedRow, isTombstone, type EntryRow, type Row } from "../../model/row.ts";
import { batches } from "../../util/batches.ts";
import type { Database } from "../idb/database.ts";
import { type Usage, leastRecentlyUsed, measureUse } from "../entries/entry-index.ts";
import { find } from "../entries/entry-table.ts";
import { replaceRows } from "../entries/entry-writes.ts";
import { ENTRIES, OUTBOX, RECORD_BYTES } from "../idb/schema.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";
import type { UseLog } from "./use-log.ts";

/** One transaction evicts so many entries, or writes down so many uses, that nobody waits for long waitsFor it, or loads much. */
const BATCH = 100;
/** Uses are written down so much later: soon enough to outlive a reload. */
const USES_DELAY_MS = 1_000;

/** What one transaction has evicted, and where the next goes on. */
interface Evicted {
  readonly keys: readonly string[];
  readonly bytes: number;
  readonly next: IDBValidKey | undefined;
}

interface EvictionRules {
  /** The disk is full: only whole blocks are evicted. To take one entry out of a block, the others would have to be put again. */
  readonly isFull?: boolean;
  /** What an entry counts: its payload before compression by default, as `maxBytes` does. */
  readonly bytesOf?: (row: EntryRow) => number;
}

export interface EvictorOptions extends SweepPorts {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly onEvicted: (keys: readonly string[]) => void;
  /** Does something while no other tab does. */
  readonly alone: (work: () => Promise<void>) => Promise<unknown>;
}

/**
 * Keeps the database within its limits: what has expired goes first, then the entries that were used least recently, down
 * to the limit and no further. Must never evict what is not confirmed.
 */
export class Evictor {
  readonly #database: Database;
  readonly #uses: UseLog;
  readonly #options: EvictorOptions;
  /** What the database holds, kept up with what this tab commits; undefined: to be measured. */
  #usage: Usage | undefined;
  /** All that is over the limit waits for its confirmation, or did when that was last looked at. */
  #isStuck = false;
  /** How often this tab has told of a growth. */
  #growths = 0;
  #useTimer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;

  constructor(database: Database, uses: UseLog, options: EvictorOptions) {
    this.#database = database;
    this.#uses = uses;
    this.#options = options;
  }

  get isLimited(): boolean {
    return this.#options.maxEntries < Infinity || this.#options.maxBytes < Infinity;
  }

  /** This tab has made the database grow, by a negative number where it shrank. */
  grew(by: Usage): void {
    this.#growths++;
    if (this.#usage !== undefined) this.#usage = sum(this.#usage, by);
    if (!this.#isStuck) this.#enforce();
  }

  /** Another tab has changed the database, and sees to the limits itself; or entries have gone. */
  forgetCount(): void {
    this.#usage = undefined;
    this.#isStuck = false;
  }

  /** Nobody knows what the database holds, or whether that is within the limits. */
  remeasure(): void {
    this.forgetCount();
    this.#enforce();
  }

  /** Something has been confirmed, and may be evicted from now on. */
  unstick(): void {
    if (!this.#isStuck) return;
    this.#isStuck = false;
    this.#enforce();
  }

  /** Resolves when nothing is being evicted. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Writes down the uses noted so far. */
  async writeUses(): Promise<void> {
    clearTimeout(this.#useTimer);
    this.#useTimer = undefined;
    const uses = this.#uses.take();
    const left = new Map(uses);
    try {
      for (const batch of batches([...uses], BATCH)) {
        await this.#database.run([ENTRIES], "readwrite", async (transaction) => {
          const found = await find(
            transaction,
            batch.map(([key]) => key),
          );
          const used = new Map<string, Row>();
          for (const [key, lastUsed] of batch) {
            const row = found.rows.get(key);
            if (row === undefined || isTombstone(row) || isDamagedRow(row)) continue;
            if (row.lastUsed < lastUsed) used.set(key, { ...row, lastUsed });
          }
          await replaceRows(transaction, found, used);
        });
        for (const [key] of batch) left.delete(key);
      }
    } catch (error) {
      this.#uses.giveBack(left);
      throw error;
    }
  }

  /** Notes a use, which is written down a moment later, with others. */
  noteUse(key: string, now?: number): void {
    const isTime = this.#uses.note(key, now);
    // Without limits the uses of this page are enough: they count when the browser's storage is full.
    if (!this.isLimited) return;
    const write = (): void => void this.writeUses().catch(() => undefined);
    if (isTime) write();
    else this.#useTimer ??= setTimeout(write, USES_DELAY_MS);
  }

  /**
   * Makes room for so many bytes when the disk is full. Uses that are not written down count too: to write them down, rows
   * would have to be put, and there is no room for that.
   * @param keys those that are being written, which stay
   * @returns whether anything went
   */
  async makeRoom(bytes: number, keys: readonly string[]): Promise<boolean> {
    // What has expired unconfirmed is put again, as expired for good: for that there may be no room.
    let freed = await sweep(this.#database, this.#options).catch(() => 0);
    let left = bytes;
    const evict = async (spared: ReadonlySet<string>, isFull: boolean): Promise<void> => {
      const evicted = await this.#evict({ entries: 0, bytes: left }, spared, {
        isFull,
        bytesOf: ({ payload }) => payload.length + RECORD_BYTES,
      });
      freed += evicted.entries;
      left -= evicted.bytes;
    };
    await evict(new Set([...this.#uses.unwritten, ...keys]), true);
    await evict(new Set(keys), true);
    // Something has to stay of every block. Where the storage is not that full, it still can.
    if (freed === 0) await evict(new Set(keys), false);
    this.remeasure();
    return freed > 0;
  }

  /** Evicts down to the limits, in the background. What fails is made good after the next write. */
  #enforce(): void {
    if (!this.isLimited || (this.#usage !== undefined && this.#excess(this.#usage) === undefined)) return;
    this.#running ??= this.#enforceAlone().catch(() => undefined);
  }

  async #enforceAlone(): Promise<void> {
    // One turn later, so that #running holds this promise before it can end.
    await Promise.resolve();
    try {
      await this.#options.alone(async () => {
        for (;;) {
          const usage = this.#usage ?? (await this.#measure());
          const excess = this.#excess(usage);
          // What has grown since it was measured is measured again.
          if (excess === undefined && this.#usage !== undefined) return;
          if (excess === undefined) continue;
          await this.writeUses();
          if ((await sweep(this.#database, this.#options)) > 0) {
            this.#usage = undefined;
            continue;
          }
          const evicted = await this.#evict(excess);
          if (this.#usage !== undefined) {
            this.#usage = sum(this.#usage, { entries: -evicted.entries, bytes: -evicted.bytes });
          }
          if (evicted.entries === 0) {
            this.#isStuck = true;
            return;
          }
        }
      });
    } finally {
      // Must follow the last look at the usage without a turn between, in which it could grow unseen.
      this.#running = undefined;
    }
  }

  async #measure(): Promise<Usage> {
    const growths = this.#growths;
    const usage = await this.#database.run([ENTRIES], "readonly", (transaction) => measureUse(transaction));
    if (growths === this.#growths) this.#usage = usage;
    return usage;
  }

  /** How far the database is over its limits. */
  #excess({ entries, bytes }: Usage): Usage | undefined {
    const { maxEntries, maxBytes } = this.#options;
    if (entries <= maxEntries && bytes <= maxBytes) return undefined;
    return { entries: Math.max(0, entries - maxEntries), bytes: Math.max(0, bytes - maxBytes) };
  }

  /**
   * Evicts at least so much, as far as there is something to evict.
   * @returns what was evicted
   */
  async #evict(excess: Usage, spared: ReadonlySet<string> = new Set(), rules: EvictionRules = {}): Promise<Usage> {
    let evicted: Usage = { entries: 0, bytes: 0 };
    for (let after: IDBValidKey | undefined; evicted.entries < excess.entries || evicted.bytes < excess.bytes;) {
      const toGo = { entries: excess.entries - evicted.entries, bytes: excess.bytes - evicted.bytes };
      let before: Evicted | undefined;
      const { keys, bytes, next } = await this.#database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
        // Run again, though the browser may have committed what it reported as lost.
        const [first] = before?.keys ?? [];
        if (before !== undefined && first !== undefined && !(await find(transaction, [first])).rows.has(first)) return before;
        return (before = await this.#evictBatch(transaction, toGo, after, spared, rules));
      });
      evicted = sum(evicted, { entries: keys.length, bytes });
      if (keys.length > 0) this.#options.onEvicted(keys);
      if (next === undefined) break;
      after = next;
    }
    return evicted;
  }

  async #evictBatch(
    transaction: IDBTransaction,
    toGo: Usage,
    after: IDBValidKey | undefined,
    spared: ReadonlySet<string>,
    { isFull = false, bytesOf = ({ size }) => size }: EvictionRules,
  ): Promise<Evicted> {
    const { groups, next } = await leastRecentlyUsed(transaction, after, BATCH);
    const keys: string[] = [];
    let bytes = 0;
    const isEnough = (): boolean => keys.length >= toGo.entries && bytes >= toGo.bytes;
    // One after another: what stays need not be loaded.
    for (const group of groups) {
      if (isEnough()) break;
      const found = await find(transaction, group);
      const evictable = new Map<string, number>();
      for (const key of group) {
        const row = found.rows.get(key);
        if (spared.has(key) || row === undefined || isTombstone(row)) continue;
        if ((await this.#options.stateOf(transaction, row.writeId)) === undefined) evictable.set(key, bytesOf(row));
      }
      if (isFull && evictable.size < group.length) continue;
      const evicted = new Map<string, undefined>();
      for (const [key, size] of evictable) {
        if (isEnough() && !isFull) break;
        evicted.set(key, undefined);
        keys.push(key);
        bytes += size;
      }
      await replaceRows(transaction, found, evicted);
    }
    return { keys, bytes, next };
  }
}

function sum(a: Usage, b: Usage): Usage {
  return { entries: a.entries + b.entries, bytes: a.bytes + b.bytes };
}
