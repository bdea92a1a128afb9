import { promisifyRequest } from "idb-keyval";

import { isWriteId, type EntryRow, type Row } from "../../model/row.ts";
import { ENTRIES, STALE } from "../idb/schema.ts";

/*
 * The table of stale marks: under the key of an entry that was invalidated, the write id of its row. A mark with another write id than
 * that of the row has no effect: the key was written again. So neither an invalidation nor a write has to touch what the other one wrote.
 * Every function works in an open transaction.
 */

/** Whether a row is marked as stale. */
export async function isMarked(transaction: IDBTransaction, key: string, row: Row): Promise<boolean> {
  const mark: unknown = await promisifyRequest(transaction.objectStore(STALE).get(key));
  const { writeId, madeOf } = row as Pick<EntryRow, "writeId" | "madeOf">;
  // A damaged row may have anything.
  return Array.isArray(mark) && [writeId, madeOf].some((id) => isWriteId(id) && id.every((part, index) => part === mark[index]));
}

/** Whether there are marks between two keys, of any row. */
export async function hasMarks(transaction: IDBTransaction, first: string, last: string): Promise<boolean> {
  return (await promisifyRequest(transaction.objectStore(STALE).getKey(IDBKeyRange.bound(first, last)))) !== undefined;
}

/** Marks rows as stale. @returns the keys whose rows were not marked before */
export async function markStale(transaction: IDBTransaction, rows: ReadonlyMap<string, Row>): Promise<string[]> {
  const marked = await Promise.all(
    Array.from(rows, async ([key, row]) => {
      if (await isMarked(transaction, key, row)) return [];
      transaction.objectStore(STALE).put([...row.writeId], key);
      return [key];
    }),
  );
  return marked.flat();
}

/** The keys of marks, the next ones after a key. */
export function nextMarks(transaction: IDBTransaction, after: IDBValidKey | undefined, limit: number): Promise<IDBValidKey[]> {
  const range = after === undefined ? null : IDBKeyRange.lowerBound(after, true);
  return promisifyRequest(transaction.objectStore(STALE).getAllKeys(range, limit));
}

/** Removes the marks of these keys that have no row. */
export async function pruneMarks(transaction: IDBTransaction, keys: readonly IDBValidKey[]): Promise<void> {
  const rows = transaction.objectStore(ENTRIES).index("keys");
  await Promise.all(
    keys.map(async (key) => {
      if ((await promisifyRequest(rows.getKey(key))) === undefined) transaction.objectStore(STALE).delete(key);
    }),
  );
}
