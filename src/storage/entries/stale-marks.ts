import { promisifyRequest } from "idb-keyval";

import type { Row } from "../../model/row.ts";
import { ENTRIES, STALE } from "../idb/schema.ts";

/*
 * The table of stale marks: under the key of an entry that was invalidated, the write id of its row. A mark with another write id than
 * that of the row has no effect: the key was written again. So neither an invalidation nor a write has to touch what the other one wrote.
 * Every function works in an open transaction.
 */

/** Whether a row is marked as stale. */
export async function isMarked(transaction: IDBTransaction, key: string, row: Row): Promise<boolean> {
  const mark: unknown = await promisifyRequest(transaction.objectStore(STALE).get(key));
  return Array.isArray(mark) && row.writeId.every((part, index) => part === mark[index]);
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

/**
 * Removes marks whose keys have no row, among the next ones.
 * @param after the last mark that the call before looked at
 * @returns the last mark looked at; undefined at the end of the table
 */
export async function pruneMarks(
  transaction: IDBTransaction,
  after: IDBValidKey | undefined,
  limit: number,
): Promise<IDBValidKey | undefined> {
  const stale = transaction.objectStore(STALE);
  const rows = transaction.objectStore(ENTRIES).index("keys");
  const marks = await promisifyRequest(stale.getAllKeys(after === undefined ? null : IDBKeyRange.lowerBound(after, true), limit));
  await Promise.all(
    marks.map(async (key) => {
      if ((await promisifyRequest(rows.getKey(key))) === undefined) stale.delete(key);
    }),
  );
  return marks.length < limit ? undefined : marks.at(-1);
}
