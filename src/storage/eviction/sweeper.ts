import type { WriteId } from "../../model/metadata.ts";
import { markOf } from "../../model/kept-row.ts";
import { AFTER_MARKS, isExpired, isTombstone, LONG_AGO, type Row } from "../../model/row.ts";
import { batches } from "../../util/batches.ts";
import type { Clock } from "../../util/clock.ts";
import { find } from "../entries/find.ts";
import { expiredKeys } from "../entries/listing.ts";
import { replaceRows } from "../entries/write.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import type { WriteState } from "../outbox/outbox-record.ts";

/** One transaction looks at this many expired entries. */
export const EXPIRED_BATCH = 200;

/** The state of a write, undefined when it is confirmed. */
export type StateOf = (transaction: IDBTransaction, id: WriteId) => Promise<WriteState | undefined>;

export interface SweepPorts {
  readonly database: Pick<Database, "run">;
  readonly clock: Pick<Clock, "now">;
  readonly stateOf: StateOf;
  /** Called with the expired keys before they are removed: memory may still have them. */
  readonly onExpired: (keys: readonly string[]) => void;
}

/**
 * Removes expired entries and the tombstones of confirmed deletes, in bounded batches. Does not load rows that are marked and stay.
 * @param isDiskFull see `removeExpired`
 * @returns how many entries were removed
 */
export async function sweep({ database, clock, stateOf, onExpired }: SweepPorts, isDiskFull = false): Promise<number> {
  const now = clock.now();
  const [marked, unmarked] = await database.run([ENTRIES], "readonly", (transaction) =>
    Promise.all([
      expiredKeys(transaction, isDiskFull ? AFTER_MARKS : LONG_AGO + Math.max(0, now)),
      expiredKeys(transaction, now, AFTER_MARKS),
    ]),
  );
  if (unmarked.length > 0) onExpired(unmarked);
  let removed = 0;
  for (const batch of batches([...marked, ...unmarked], EXPIRED_BATCH)) {
    removed += await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) =>
      removeExpired(transaction, stateOf, batch, now, isDiskFull),
    );
  }
  return removed;
}

/**
 * Removes the rows of keys that had expired at `now`, in an open transaction. Must keep an unconfirmed row, since its message is built
 * from it. A row that stays is marked as expired, so that a clock that goes back does not revive it.
 * @param isDiskFull removes every row that is confirmed, also within its `keepMs`, and leaves the version floor to makeRoom
 * @returns how many entries were removed
 */
export async function removeExpired(
  transaction: IDBTransaction,
  stateOf: StateOf,
  keys: readonly string[],
  now: number,
  isDiskFull = false,
): Promise<number> {
  const found = await find(transaction, keys);
  const changes = new Map<string, Row | undefined>();
  let removed = 0;
  for (const [key, row] of found.rows) {
    if (!isExpired(row, now)) continue;
    const mark = isDiskFull || isTombstone(row) ? LONG_AGO : markOf(row, now);
    if (mark === LONG_AGO && (await stateOf(transaction, row.writeId)) === undefined) {
      changes.set(key, undefined);
      if (!isTombstone(row)) removed++;
    } else if (row.expiresAt !== mark) changes.set(key, { ...row, expiresAt: mark } as Row);
  }
  await replaceRows(transaction, found, changes, !isDiskFull);
  return removed;
}
