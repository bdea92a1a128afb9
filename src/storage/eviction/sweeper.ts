import type { WriteId } from "../../model/metadata.ts";
import { isExpired, isTombstone, LONG_AGO, type Row } from "../../model/row.ts";
import { batches } from "../../util/batches.ts";
import type { Database } from "../idb/database.ts";
import { expiredKeys } from "../entries/entry-index.ts";
import { find } from "../entries/entry-table.ts";
import { replaceRows } from "../entries/entry-writes.ts";
import type { WriteState } from "../outbox/outbox-table.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";

type StateOf = (transaction: IDBTransaction, id: WriteId) => Promise<WriteState | undefined>;

/** One transaction looks at so many expired entries. */
export const EXPIRED_BATCH = 200;

export interface SweepPorts {
  readonly stateOf: StateOf;
  /** Told of what has expired, before it is removed: memory may hold it still. */
  readonly onExpired: (keys: readonly string[]) => void;
}

/**
 * Removes what has expired, in bounded batches.
 * @returns how many entries were removed
 */
export async function sweep(database: Database, { stateOf, onExpired }: SweepPorts): Promise<number> {
  const now = Date.now();
  const [keys, unmarked] = await database.run([ENTRIES], "readonly", (transaction) =>
    Promise.all([expiredKeys(transaction, now), expiredKeys(transaction, now, LONG_AGO)]),
  );
  if (unmarked.length > 0) onExpired(unmarked);
  let removed = 0;
  for (const batch of batches(keys, EXPIRED_BATCH)) {
    removed += await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeExpired(transaction, stateOf, batch, now));
  }
  return removed;
}

/**
 * In an open transaction: removes the rows under keys that had expired at `now`. Must keep one that is not confirmed, since its
 * message is made of it, but so that no clock that jumps back can revive it.
 * @returns how many entries were removed
 */
export async function removeExpired(transaction: IDBTransaction, stateOf: StateOf, keys: readonly string[], now: number): Promise<number> {
  const found = await find(transaction, keys);
  const changes = new Map<string, Row | undefined>();
  let removed = 0;
  for (const [key, row] of found.rows) {
    if (!isExpired(row, now)) continue;
    if ((await stateOf(transaction, row.writeId)) === undefined) {
      changes.set(key, undefined);
      if (!isTombstone(row)) removed++;
    } else if (row.expiresAt !== LONG_AGO) changes.set(key, { ...row, expiresAt: LONG_AGO });
  }
  await replaceRows(transaction, found, changes);
  return removed;
}
