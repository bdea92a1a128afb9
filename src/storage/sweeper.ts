import type { WriteId } from "../entry/metadata.ts";
import { isExpired, isTombstone, LONG_AGO } from "../entry/row.ts";
import type { Database } from "./database.ts";
import { expiredKeys } from "./entry-index.ts";
import { find } from "./entry-table.ts";
import { replaceRows } from "./entry-writes.ts";
import type { WriteState } from "./outbox-table.ts";
import { ENTRIES, OUTBOX } from "./schema.ts";

type StateOf = (transaction: IDBTransaction, id: WriteId) => Promise<WriteState | undefined>;

/** One transaction looks at so many expired entries, that nobody waits for long behind it. */
const BATCH = 200;

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
  for (let at = 0; at < keys.length; at += BATCH) {
    removed += await database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      let count = 0;
      for (const key of keys.slice(at, at + BATCH)) if (await removeExpired(transaction, stateOf, key, now)) count++;
      return count;
    });
  }
  return removed;
}

/**
 * Removes the row under a key if it had expired at `now`. Must keep one that is not confirmed, since its message is made of it,
 * but so that no clock that jumps back can revive it.
 * @returns whether an entry was removed
 */
export async function removeExpired(
  transaction: IDBTransaction,
  stateOf: StateOf,
  key: string,
  now: number,
): Promise<boolean> {
  const found = await find(transaction, [key]);
  const row = found.rows.get(key);
  if (row === undefined || !isExpired(row, now)) return false;
  if ((await stateOf(transaction, row.writeId)) === undefined) {
    await replaceRows(transaction, found, new Map([[key, undefined]]));
    return !isTombstone(row);
  }
  if (row.expiresAt !== LONG_AGO) await replaceRows(transaction, found, new Map([[key, { ...row, expiresAt: LONG_AGO }]]));
  return false;
}
