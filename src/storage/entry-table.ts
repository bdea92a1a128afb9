import { promisifyRequest } from "idb-keyval";

import { asRow, isDamagedRow, type Row } from "../entry/row.ts";
import type { Database } from "./database.ts";
import { arrange, asPack, entriesUnder, PACK_ENTRIES, packId, packRecord, type Arrangement, type Pack } from "./pack.ts";
import { ENTRIES, UNDER } from "./schema.ts";

/**
 * How entries lie in their table: a loose one in a record of its own under its key; many that are written together in packs,
 * each under its PackId, with its keys alone once more under the id's first number. A key lies in one place only: the unique
 * index UNDER sees to it, and finds it.
 * What needs no payload is answered by entry-index.ts.
 */

/** What was found under keys, in a transaction. */
export interface Found {
  readonly rows: ReadonlyMap<string, Row>;
  /** By the keys that were found in them. */
  readonly packs: ReadonlyMap<string, Pack>;
}

/** So many keys are looked up one by one: requests under way together cost less than one more in a row. */
export const FEW_KEYS = 8;

/** Rows seen in a pack. */
const packed = new WeakSet<Row>();

/** Whether a row lies in a pack, as far as that is known: who writes its key has to look first. */
export function isPacked(row: Row): boolean {
  return packed.has(row);
}

/** In an open transaction: the row under a key. */
export async function rowOf(transaction: IDBTransaction, key: string): Promise<Row | undefined> {
  return (await find(transaction, [key])).rows.get(key);
}

/** The rows under many keys. */
export async function readRows(database: Database, keys: Iterable<string>): Promise<ReadonlyMap<string, Row>> {
  return (await database.run([ENTRIES], "readonly", (transaction) => find(transaction, keys))).rows;
}

/** In an open transaction: the rows under keys, and the packs they lie in. */
export async function find(transaction: IDBTransaction, keys: Iterable<string>): Promise<Found> {
  const entries = transaction.objectStore(ENTRIES);
  const wanted = new Set(keys);
  const rows = new Map<string, Row>();
  const packs = new Map<string, Pack>();

  const look = async (key: string): Promise<void> => {
    const record = await promisifyRequest<unknown>(entries.index(UNDER).get(key));
    // A pack is handed out again for each key that is asked for.
    if (packs.has(key)) return;
    const pack = asPack(record);
    for (const [name, value] of pack ?? []) {
      const row = wanted.has(name) ? asRow(value, name) : undefined;
      if (pack === undefined || row === undefined) continue;
      packed.add(row);
      packs.set(name, pack);
      rows.set(name, row);
    }
    if (pack !== undefined) return;
    // One that is damaged may say that it is another, or nothing.
    const found = asRow(record, key);
    const row = found === undefined || isDamagedRow(found) ? asRow(await promisifyRequest<unknown>(entries.get(key)), key) : found;
    if (row !== undefined) rows.set(key, row);
  };

  // What is asked for in a row was often written in a row: one of a pack brings its neighbours along.
  const stride = wanted.size <= FEW_KEYS ? 1 : PACK_ENTRIES;
  const list = [...wanted];
  await Promise.all(list.filter((_, index) => index % stride === 0).map(look));
  await Promise.all(list.filter((key, index) => index % stride !== 0 && !packs.has(key)).map(look));
  return { rows, packs };
}

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
  const torn = new Map<Pack, string>();
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
      addPack(entries, new Map([...pack].filter(([name]) => !changes.has(name))));
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
  for (const pack of new Set(packs.values())) addPack(entries, new Map([...pack].filter(([key]) => packs.has(key))));
}

function put(entries: IDBObjectStore, { loose, packs }: Arrangement, how: "add" | "put"): void {
  for (const [key, row] of loose) entries[how]({ ...row, under: key }, key);
  for (const pack of packs) {
    addPack(entries, pack);
    for (const row of pack.values()) packed.add(row as Row);
  }
}

function addPack(entries: IDBObjectStore, pack: Pack): void {
  if (pack.size === 0) return;
  const id = packId(pack.size);
  const record = packRecord(pack);
  entries.add(record, [...id]);
  entries.add(record.under, id[0]);
}
