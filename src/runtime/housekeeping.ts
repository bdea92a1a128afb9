import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { removeAllBut } from "../storage/entries/entry-writes.ts";
import type { Evictor } from "../storage/eviction/evictor.ts";
import { outboxRows } from "../storage/outbox/outbox-table.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import { sweep, type SweepPorts } from "../storage/eviction/sweeper.ts";
import { unlessElsewhere } from "../tabs/leadership.ts";

/** What is done with the database as a whole, none of it on the way of a read or a write. */
export class Housekeeping {
  readonly #database: Database;
  readonly #committer: Committer;
  readonly #evictor: Evictor;
  readonly #sweepPorts: SweepPorts;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(database: Database, committer: Committer, evictor: Evictor, sweepPorts: SweepPorts) {
    this.#database = database;
    this.#committer = committer;
    this.#evictor = evictor;
    this.#sweepPorts = sweepPorts;
  }

  /** Sweeps now and then, in one tab at a time. */
  startSweeping(lock: string, intervalMs: number): void {
    if (intervalMs === 0) return;
    this.#timer = setInterval(() => {
      // What cannot be swept now is absent all the same, and swept next time.
      this.#sweeping = unlessElsewhere(lock, async () => {
        await this.sweep();
        if (this.#evictor.isLimited) await this.#evictor.writeUses();
      }).catch(() => undefined);
    }, intervalMs);
  }

  /** Resolves when no sweep is under way. */
  async stopSweeping(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async sweep(): Promise<number> {
    await this.#committer.caughtUp();
    const removed = await sweep(this.#database, this.#sweepPorts);
    if (removed > 0) this.#evictor.forgetCount();
    return removed;
  }

  /** Removes everything but what is not confirmed: its messages are made of the entries. */
  async clear(): Promise<void> {
    await this.#committer.caughtUp();
    await this.#database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      const rows = await outboxRows(transaction);
      const kept = new Set(rows.flatMap(([, { writes }]) => writes.map(({ key }) => key)));
      await removeAllBut(transaction, kept);
    });
    this.#evictor.forgetCount();
  }
}
