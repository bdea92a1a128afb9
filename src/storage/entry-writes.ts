import { promisifyRequest } from "idb-keyval";

import type { Row } from "../entry/row.ts";
import { find, packedRows, type Found } from "./entry-table.ts";
import { arrange, asPack, entriesUnder, packId, packRecord, type Arrangement, type Pack } from "./pack.ts";
import { ENTRIES, UNDER } from "./schema.ts";

/** The writing half of entry-table.ts. */

/**
 * In an open transaction: writes rows for keys that are in no pack; many of them into packs.
 * @param how "add" where nothing must be there yet: else the transaction fails with a ConstraintError
 */
export function putRows(transaction: IDBTransaction, rows: ReadonlyMap<string, Row>, how: "add" | "put"): void {
  put(transaction.objectStore(ENTRIES), arrange(rows), how);
}

/** In an open transaction: puts rows in the place of what was found in it; undefined removes. */
export async function replaceRows(
  transaction: IDBTransaction,
  found: Found,
  changes: ReadonlyMap<string, Row | undefined>,
): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const torn = new Map<object, string>();
  for (const key of changes.keys()) {
    const pack = found.packs.get(key);
    if (pack !== undefined) torn.set(pack, key);
  }
  await Promise.all(
    Array.from(torn, async ([pack, key]) => {
      const id = await promisifyRequest(entries.index(UNDER).getKey(key));
      if (id === undefined) return;
      entries.delete(id);
      if (Array.isArray(id)) entries.delete(id[0] as IDBValidKey);
      addPack(entries, only(pack, (name) => !changes.has(name)));
    }),
  );
  const arranged = arrange(new Map([...changes].filter((change): change is [string, Row] => change[1] !== undefined)));
  for (const key of changes.keys()) {
    if (found.rows.has(key) && !found.packs.has(key) && !arranged.loose.has(key)) entries.delete(key);
  }
  put(entries, arranged, "put");
}

/** In an open transaction: removes what claims to be the entry of a key, but lies elsewhere. No code of this library's makes that. */
export async function removeStrays(transaction: IDBTransaction, keys: Iterable<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  await Promise.all(
    Array.from(keys, async (key) => {
      const primaryKey = await promisifyRequest(entries.index(UNDER).getKey(key));
      if (primaryKey !== undefined && primaryKey !== key && entriesUnder(primaryKey) === 1) entries.delete(primaryKey);
    }),
  );
}

/** Removes every entry but those of `kept`, which must be sorted; by ranges between them, so that no payload is loaded. */
export async function removeAllBut(transaction: IDBTransaction, kept: readonly string[]): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  if (kept.length === 0) {
    entries.clear();
    return;
  }
  const { packs } = await find(transaction, kept);
  let after: string | undefined;
  for (const key of kept) {
    if (after === undefined) entries.delete(IDBKeyRange.upperBound(key, true));
    else if (after < key) entries.delete(IDBKeyRange.bound(after, key, true, true));
    after = key;
  }
  if (after !== undefined) entries.delete(IDBKeyRange.lowerBound(after, true));
  for (const pack of new Set(packs.values())) addPack(entries, only(pack, (key) => packs.has(key)));
}

/** What is left of a pack. */
function only(record: object, stays: (key: string) => boolean): Pack {
  return new Map([...(asPack(record) ?? [])].filter(([key]) => stays(key)));
}

function put(entries: IDBObjectStore, { loose, packs }: Arrangement, how: "add" | "put"): void {
  for (const [key, row] of loose) entries[how]({ ...row, under: key }, key);
  for (const pack of packs) {
    addPack(entries, pack);
    for (const row of pack.values()) packedRows.add(row as Row);
  }
}

function addPack(entries: IDBObjectStore, pack: Pack): void {
  if (pack.size === 0) return;
  const id = packId(pack.size);
  const record = packRecord(pack);
  entries.add(record, [...id]);
  entries.add(record.under, id[0]);
}
