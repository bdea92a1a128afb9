import { promisifyRequest } from "idb-keyval";

import type { Usage } from "../../model/change.ts";
import { LONG_AGO, type Row } from "../../model/row.ts";
import { isCount } from "../../util/count.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { entriesAt, keysAt } from "./block.ts";
import { expiredKeys } from "./listing.ts";

export function measureLiving(database: Pick<Database, "run">, now: number): Promise<Usage> {
  return database.run([ENTRIES], "readonly", async (transaction) => measureUse(transaction, new Set(await expiredKeys(transaction, now))));
}

/** Measures all entries except some, expired ones included, in an open transaction. Loads no payload. */
export async function measureUse(transaction: IDBTransaction, without: ReadonlySet<unknown> = new Set()): Promise<Usage> {
  const usage = { entries: 0, bytes: 0 };
  await eachUse(transaction, null, ({ key, primaryKey }) => {
    if (!without.has(primaryKey)) {
      usage.entries += entriesAt(primaryKey);
      usage.bytes += (key as [lastUsed: number, size: number])[1];
    }
    return true;
  });
  return usage;
}

/** The greatest version of all rows, in an open transaction. Loads no payload, except those of entries that are marked as expired. */
export async function greatestVersion(transaction: IDBTransaction): Promise<number> {
  // The index `use` has no tombstones.
  const marked = promisifyRequest<unknown[]>(transaction.objectStore(ENTRIES).index("expiresAt").getAll(LONG_AGO));
  let greatest = 0;
  const see = (version: unknown): boolean => {
    if (isCount(version) && version > greatest) greatest = version;
    return true;
  };
  await eachUse(transaction, null, ({ key }) => see((key as [lastUsed: number, size: number, version: number])[2]));
  for (const row of await marked) see((row as Partial<Row>).version);
  return greatest;
}

/**
 * The least recently used entries, about `limit` of them, in groups. A group can be removed as a whole without a write; to remove a part
 * of a group is to write the rest again.
 * @param after the `next` of the call before
 */
export async function leastRecentlyUsed(
  transaction: IDBTransaction,
  after: IDBValidKey | undefined,
  limit: number,
): Promise<{ groups: string[][]; next: IDBValidKey | undefined }> {
  const entries = transaction.objectStore(ENTRIES);
  const places: IDBValidKey[] = [];
  let count = 0;
  let next: IDBValidKey | undefined;
  await eachUse(transaction, after === undefined ? null : IDBKeyRange.lowerBound(after, true), ({ key, primaryKey }) => {
    places.push(primaryKey);
    count += entriesAt(primaryKey);
    next = count < limit ? undefined : key;
    return count < limit;
  });
  return { groups: await Promise.all(places.map((place) => keysAt(entries, place))), next };
}

/** Visits the index `use` in the order of use, while `visit` returns true. */
function eachUse(transaction: IDBTransaction, range: IDBKeyRange | null, visit: (cursor: IDBCursor) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = transaction.objectStore(ENTRIES).index("use").openKeyCursor(range);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor !== null && visit(cursor)) cursor.continue();
      else resolve();
    };
  });
}
