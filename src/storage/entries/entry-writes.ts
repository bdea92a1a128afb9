import { promisifyRequest } from "idb-keyval";

import type { Row } from "../../model/row.ts";
import { find, type Found } from "./entry-table.ts";
import { arrange, asPack, listPlace, packId, packRecord, type Arrangement, type Pack } from "./block.ts";
import { ENTRIES, UNDER } from "../idb/schema.ts";

/** The writing half of entry-table.ts. */

/** In an open transaction: adds rows, many of them in packs. A key that exists fails the transaction with a ConstraintError. */
export function addRows(transaction: IDBTransaction, rows: ReadonlyMap<string, Row>): void {
  put(transaction.objectStore(ENTRIES), arrange(rows), "add");
}

/** In an open transaction: puts rows in the place of what was found in it; undefined removes. */
export async function replaceRows(transaction: IDBTransaction, found: Found, changes: ReadonlyMap<string, Row | undefined>): Promise<void> {
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
      removePack(entries, id);
      addPack(
        entries,
        only(pack, (name) => !changes.has(name)),
      );
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
  const { packs } = await find(transaction, keys);
  await Promise.all(
    Array.from(keys, async (key) => {
      const primaryKey = await promisifyRequest(entries.index(UNDER).getKey(key));
      if (primaryKey !== undefined && primaryKey !== key && !packs.has(key)) entries.delete(primaryKey);
    }),
  );
}

/**
 * Removes every entry but those of `kept`; by ranges between them, so that no payload is loaded but of packs that lose some of
 * their entries.
 */
export async function removeAllBut(transaction: IDBTransaction, kept: ReadonlySet<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const under = entries.index(UNDER);
  const places = await Promise.all(Array.from(kept, (key) => promisifyRequest(under.getKey(key))));
  const packs = [...new Map(places.flatMap((place) => (Array.isArray(place) ? [[JSON.stringify(place), place]] : []))).values()];
  const lists = await Promise.all(packs.map(async (id) => promisifyRequest<unknown>(entries.get(listPlace(id)))));

  // As IndexedDB sorts: numbers, strings, arrays.
  const stay: IDBValidKey[] = [
    ...[...new Set(packs.map(listPlace))].toSorted((a, b) => a - b),
    ...[...kept].toSorted(),
    ...packs.toSorted((a, b) => indexedDB.cmp(a, b)),
  ];
  let after: IDBValidKey | undefined;
  for (const place of stay) {
    entries.delete(after === undefined ? IDBKeyRange.upperBound(place, true) : IDBKeyRange.bound(after, place, true, true));
    after = place;
  }
  if (after === undefined) entries.clear();
  else entries.delete(IDBKeyRange.lowerBound(after, true));

  for (const [index, id] of packs.entries()) {
    const list = lists[index];
    if (Array.isArray(list) && list.every((key) => kept.has(key as string))) continue;
    const pack = await promisifyRequest<unknown>(entries.get(id));
    removePack(entries, id);
    addPack(
      entries,
      only(pack, (key) => kept.has(key)),
    );
  }
}

/** What is left of a pack. */
function only(record: unknown, stays: (key: string) => boolean): Pack {
  return new Map([...(asPack(record) ?? [])].filter(([key]) => stays(key)));
}

function put(entries: IDBObjectStore, { loose, packs }: Arrangement, how: "add" | "put"): void {
  for (const [key, row] of loose) entries[how]({ ...row, under: key }, key);
  for (const pack of packs) addPack(entries, pack);
}

function removePack(entries: IDBObjectStore, id: IDBValidKey): void {
  entries.delete(id);
  if (Array.isArray(id)) entries.delete(listPlace(id));
}

function addPack(entries: IDBObjectStore, pack: Pack): void {
  if (pack.size === 0) return;
  const id = packId(pack.size);
  const record = packRecord(pack);
  entries.add(record, [...id]);
  entries.add(record.under, id[0]);
}
