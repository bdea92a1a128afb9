import { isDamagedRow, isTombstone, type Row } from "../../model/row.ts";
import { batches } from "../../util/batches.ts";
import type { Clock, Timer } from "../../util/clock.ts";
import { find } from "../entries/find.ts";
import { replaceRows } from "../entries/write.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { UseLog } from "./use-log.ts";

/** One transaction writes at most this many uses, so that others do not wait long. */
const BATCH = 100;
/** Soon enough to survive a reload. */
const WRITE_DELAY_MS = 1_000;

export interface UsesOptions {
  readonly database: Pick<Database, "run">;
  readonly clock: Clock;
  /** Whether uses are written by themselves. Without limits, only a full disk evicts, and the uses in memory are enough for that. */
  readonly isLimited: boolean;
}

/** Records when entries are used. A use is noted at once and written with others: to write it, its whole row is put again. */
export class Uses {
  readonly #options: UsesOptions;
  readonly #log = new UseLog();
  #timer: Timer | undefined;

  constructor(options: UsesOptions) {
    this.#options = options;
  }

  get isLimited(): boolean {
    return this.#options.isLimited;
  }

  /** The time of a use at this moment. Never the same twice. */
  now(): number {
    return this.#log.next(this.#options.clock.now());
  }

  /** The keys whose last use is not written. */
  get unwritten(): ReadonlySet<string> {
    return this.#log.keys;
  }

  note(key: string, now = this.#options.clock.now()): void {
    const isFull = this.#log.note(key, now);
    if (!this.#options.isLimited) return;
    const write = (): void => void this.write().catch(() => undefined);
    if (isFull) write();
    else this.#timer ??= this.#options.clock.setTimer(write, WRITE_DELAY_MS);
  }

  /** Writes the uses noted so far. Uses that could not be written stay noted. */
  async write(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const uses = this.#log.take();
    const left = new Map(uses);
    try {
      for (const batch of batches([...uses], BATCH)) {
        await this.#options.database.run([ENTRIES], "readwrite", (transaction) => writeUses(transaction, new Map(batch)));
        for (const [key] of batch) left.delete(key);
      }
    } catch (error) {
      this.#log.giveBack(left);
      throw error;
    }
  }
}

/** Must not change a damaged row, nor replace a later use. */
async function writeUses(transaction: IDBTransaction, uses: ReadonlyMap<string, number>): Promise<void> {
  const found = await find(transaction, uses.keys());
  const used = new Map<string, Row>();
  for (const [key, row] of found.rows) {
    const lastUsed = uses.get(key) as number;
    if (!isTombstone(row) && !isDamagedRow(row) && row.lastUsed < lastUsed) used.set(key, { ...row, lastUsed });
  }
  await replaceRows(transaction, found, used);
}
