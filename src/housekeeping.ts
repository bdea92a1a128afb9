import type { Committer } from "./storage/committer.ts";
import type { Database } from "./storage/database.ts";
import { removeAllBut, type EntryTable } from "./storage/entry-table.ts";
import type { Evictor } from "./storage/evictor.ts";
import { outboxRows } from "./storage/outbox-table.ts";
import { ENTRIES, OUTBOX } from "./storage/schema.ts";
import { sweep, type SweepPorts } from "./storage/sweeper.ts";
import { unlessElsewhere } from "./tabs/leadership.ts";

/** What IndexedDB holds of a namespace, and what the browser says of the site's storage. */
export interface StorageStats {
  readonly entries: number;
  /** Of the payloads, before compression. */
  readonly bytes: number;
  readonly pendingWrites: number;
  readonly rejectedWrites: number;
  readonly quotaBytes?: number;
  readonly usageBytes?: number;
}

/** A key's newest write that the server has not confirmed. */
export interface PendingWrite {
  key: string;
  operation: "store" | "delete";
  version: number;
  /** How often it was tried in vain. */
  attempts: number;
  lastError?: string;
  /** The server refused it; it is not tried again by itself. */
  rejected: boolean;
}

/** What is done with the database as a whole, none of it on the way of a read or a write. */
export class Housekeeping {
  readonly #database: Database;
  readonly #entries: EntryTable;
  readonly #committer: Committer;
  readonly #evictor: Evictor;
  readonly #sweepPorts: SweepPorts;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(database: Database, entries: EntryTable, committer: Committer, evictor: Evictor, sweepPorts: SweepPorts) {
    this.#database = database;
    this.#entries = entries;
    this.#committer = committer;
    this.#evictor = evictor;
    this.#sweepPorts = sweepPorts;
  }

  /** Sweeps now and then, in one tab at a time. */
  startSweeping(lock: string, intervalMs: number): void {
    if (intervalMs === 0) return;
    this.#timer = setInterval(() => {
      // What cannot be swept now is absent all the same, and swept next time.
      unlessElsewhere(lock, async () => {
        await this.sweep();
        await this.#evictor.writeUses();
      }).catch(() => undefined);
    }, intervalMs);
  }

  stopSweeping(): void {
    clearInterval(this.#timer);
  }

  async sweep(): Promise<number> {
    await this.#committer.caughtUp();
    const removed = await sweep(this.#database, this.#sweepPorts);
    if (removed > 0) this.#evictor.remeasure();
    return removed;
  }

  /** Removes everything but what is not confirmed: its messages are made of the entries. */
  async clear(): Promise<void> {
    await this.#committer.caughtUp();
    await this.#database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      const rows = await outboxRows(transaction);
      const kept = new Set(rows.flatMap(([, { writes }]) => writes.map(({ key }) => key)));
      removeAllBut(transaction, [...kept].toSorted());
    });
    this.#evictor.remeasure();
  }

  async storageStats(): Promise<StorageStats> {
    const [{ entries, bytes }, writes, estimate] = await Promise.all([
      this.#entries.measure(Date.now()),
      this.pendingWrites(),
      (globalThis.navigator as Navigator | undefined)?.storage?.estimate().catch(() => undefined),
    ]);
    const rejectedWrites = writes.filter(({ rejected }) => rejected).length;
    return {
      entries,
      bytes,
      pendingWrites: writes.length - rejectedWrites,
      rejectedWrites,
      ...(estimate?.quota === undefined ? undefined : { quotaBytes: estimate.quota }),
      ...(estimate?.usage === undefined ? undefined : { usageBytes: estimate.usage }),
    };
  }

  async pendingWrites(): Promise<PendingWrite[]> {
    await this.#committer.caughtUp();
    const rows = await this.#database.run([OUTBOX], "readonly", outboxRows);
    const newest = new Map<string, PendingWrite>();
    for (const [, { state, writes, attempts, lastError }] of rows) {
      for (const { key, operation, version } of writes) {
        if ((newest.get(key)?.version ?? 0) > version) continue;
        newest.set(key, {
          key,
          operation,
          version,
          attempts,
          ...(lastError === undefined ? undefined : { lastError }),
          rejected: state === "rejected",
        });
      }
    }
    return [...newest.values()];
  }
}
