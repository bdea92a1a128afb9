import type { LocalChange } from "../model/change.ts";
import type { ExpiredKeys } from "../read/expired-keys.ts";
import { removeAllBut } from "../storage/entries/remove.ts";
import { nextMarks, pruneMarks } from "../storage/entries/stale-marks.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Evictor } from "../storage/eviction/evictor.ts";
import { EXPIRED_BATCH, removeExpired, sweep, type SweepPorts } from "../storage/eviction/sweeper.ts";
import type { Uses } from "../storage/eviction/uses.ts";
import { ENTRIES, META, OUTBOX, PULLED, REVISIONS, STALE } from "../storage/idb/schema.ts";
import { outboxRecords } from "../storage/outbox/outbox-table.ts";
import { unlessElsewhere } from "../tabs/locks.ts";
import { batches } from "../util/batches.ts";
import type { Clock, Timer } from "../util/clock.ts";
import type { KeyQueue } from "../write/key-queue.ts";

/** Stale marks that a sweep looks at: other tabs do not wait long. */
const MARKS_PER_SWEEP = 200;

export interface HousekeepingPorts extends SweepPorts {
  readonly clock: Clock;
  readonly committer: Pick<Committer, "caughtUp" | "defer">;
  readonly evictor: Pick<Evictor, "forgetCount">;
  readonly expired: Pick<ExpiredKeys, "removed">;
  readonly queue: Pick<KeyQueue, "committed" | "enter">;
  readonly uses: Pick<Uses, "isLimited" | "write">;
  readonly emit: (changes: readonly LocalChange[]) => void;
  /** The lock under which one tab at a time sweeps. */
  readonly sweepLock: string;
  /** 0: no sweeps in the background. */
  readonly sweepIntervalMs: number;
}

/** Work on the whole database, off the path of reads and writes. */
export class Housekeeping {
  readonly #ports: HousekeepingPorts;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  /** The last mark that a sweep has looked at; undefined: the next one begins at the first. */
  #lastMark: IDBValidKey | undefined;

  constructor(ports: HousekeepingPorts) {
    this.#ports = ports;
  }

  /** Sweeps at an interval, in one tab at a time. */
  startSweeping(): void {
    const { clock, sweepIntervalMs, sweepLock, uses } = this.#ports;
    if (sweepIntervalMs === 0) return;
    this.#timer = clock.setTimer(() => {
      this.startSweeping();
      // After a failure, the next sweep tries again. Expired entries are absent all the same.
      this.#sweeping = unlessElsewhere(sweepLock, async () => {
        await this.sweep();
        if (uses.isLimited) await uses.write();
      }).catch(() => undefined);
    }, sweepIntervalMs);
  }

  /** Resolves when no sweep is under way. */
  async stopSweeping(): Promise<void> {
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** @returns how many entries were removed */
  async sweep(): Promise<number> {
    const { committer, evictor, queue } = this.#ports;
    await queue.committed();
    await committer.caughtUp();
    const removed = await sweep(this.#ports);
    if (removed > 0) evictor.forgetCount();
    await this.#pruneMarks();
    return removed;
  }

  /** Removes expired entries along with later commits. */
  async removeExpired(keys: readonly string[], now: number): Promise<void> {
    const { committer, evictor, expired, stateOf } = this.#ports;
    let isDone = true;
    for (const batch of batches(keys, EXPIRED_BATCH)) {
      let removed = 0;
      const remove = async (transaction: IDBTransaction): Promise<void> => {
        removed = await removeExpired(transaction, stateOf, batch, now);
      };
      await committer.defer(remove, () => (isDone = false));
      if (removed > 0) evictor.forgetCount();
    }
    if (isDone) expired.removed(keys);
  }

  /** Removes every entry but the unconfirmed ones: their messages are made of them. Later writes wait for it. */
  async clear(): Promise<void> {
    const { committer, database, emit, queue } = this.#ports;
    const place = queue.enter(undefined);
    try {
      await place.earlierCommitted;
      await committer.caughtUp();
      await database.run([ENTRIES, OUTBOX, REVISIONS, META], "readwrite", async (transaction) => {
        transaction.objectStore(META).delete(PULLED);
        transaction.objectStore(REVISIONS).clear();
        const records = await outboxRecords(transaction);
        await removeAllBut(transaction, new Set(records.flatMap(([, { writes }]) => writes.map(({ key }) => key))));
      });
      emit([{ source: "local", type: "clear" }]);
    } finally {
      place.leave();
    }
  }

  /** Removes stale marks of keys that are gone. Each sweep looks at some of the marks. */
  async #pruneMarks(): Promise<void> {
    const { database } = this.#ports;
    const marks = await database.run([STALE], "readonly", (transaction) => nextMarks(transaction, this.#lastMark, MARKS_PER_SWEEP));
    this.#lastMark = marks.length < MARKS_PER_SWEEP ? undefined : marks.at(-1);
    if (marks.length > 0) await database.run([ENTRIES, STALE], "readwrite", (transaction) => pruneMarks(transaction, marks));
  }
}
