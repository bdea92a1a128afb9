import { promisifyRequest } from "idb-keyval";

import type { Row } from "../../model/row.ts";
import { find, type Found } from "./entry-table.ts";
import { arrange, asBlock, listPlace, blockId, blockRecord, type Arrangement, type Block } from "./block.ts";
import { ENTRIES, UNDER } from "../idb/schema.ts";

/** The writing half of entry-table.ts. */

/** In an open transaction: adds rows, many of them in blocks. A key that exists fails the transaction with a ConstraintError. */
export function addRows(transaction: IDBTransaction, rows: ReadonlyMap<string, Row>): void {
  put(transaction.objectStore(ENTRIES), arrange(rows), "add");
}

/** In an open transaction: puts rows in the place of what was found in it; undefined removes. */
export async function replaceRows(transaction: IDBTransaction, found: Found, changes: ReadonlyMap<string, Row | undefined>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const torn = new Map<object, string>();
  for (const key of changes.keys()) {
    const block = found.blocks.get(key);
    if (block !== undefined) torn.set(block, key);
  }
  await Promise.all(
    Array.from(torn, async ([block, key]) => {
      const id = await promisifyRequest(entries.index(UNDER).getKey(key));
      if (id === undefined) return;
      removeBlock(entries, id);
      addBlock(
        entries,
        only(block, (name) => !changes.has(name)),
      );
    }),
  );
  const arranged = arrange(new Map([...changes].filter((change): change is [string, Row] => change[1] !== undefined)));
  for (const key of changes.keys()) {
    if (found.rows.has(key) && !found.blocks.has(key) && !arranged.loose.has(key)) entries.delete(key);
  }
  put(entries, arranged, "put");
}

/** In an open transaction: removes what claims to be the entry of a key, but lies elsewhere. No code of this library's makes that. */
export async function removeStrays(transaction: IDBTransaction, keys: Iterable<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const { blocks } = await find(transaction, keys);
  await Promise.all(
    Array.from(keys, async (key) => {
      const primaryKey = await promisifyRequest(entries.index(UNDER).getKey(key));
      if (primaryKey !== undefined && primaryKey !== key && !blocks.has(key)) entries.delete(primaryKey);
    }),
  );
}

/**
 * Removes every entry but those of `kept`; by ranges between them, so that no payload is loaded but of blocks that lose some of
 * their entries.
 */
export async function removeAllBut(transaction: IDBTransaction, kept: ReadonlySet<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const under = entries.index(UNDER);
  const places = await Promise.all(Array.from(kept, (key) => promisifyRequest(under.getKey(key))));
  const blocks = [...new Map(places.flatMap((place) => (Array.isArray(place) ? [[JSON.stringify(place), place]] : []))).values()];
  const lists = await Promise.all(blocks.map(async (id) => promisifyRequest<unknown>(entries.get(listPlace(id)))));

  // As IndexedDB sorts: numbers, strings, arrays.
  const stay: IDBValidKey[] = [
    ...[...new Set(blocks.map(listPlace))].toSorted((a, b) => a - b),
    ...[...kept].toSorted(),
    ...blocks.toSorted((a, b) => indexedDB.cmp(a, b)),
  ];
  let after: IDBValidKey | undefined;
  for (const place of stay) {
    entries.delete(after === undefined ? IDBKeyRange.upperBound(place, true) : IDBKeyRange.bound(after, place, true, true));
    after = place;
  }
  if (after === undefined) entries.clear();
  else entries.delete(IDBKeyRange.lowerBound(after, true));

  for (const [index, id] of blocks.entries()) {
    const list = lists[index];
    if (Array.isArray(list) && list.every((key) => kept.has(key as string))) continue;
    const block = await promisifyRequest<unknown>(entries.get(id));
    removeBlock(entries, id);
    addBlock(
      entries,
      only(block, (key) => kept.has(key)),
    );
  }
}

/** What is left of a block. */
function only(record: unknown, stays: (key: string) => boolean): Block {
  return new Map([...(asBlock(record) ?? [])].filter(([key]) => stays(key)));
}

function put(entries: IDBObjectStore, { loose, blocks }: Arrangement, how: "add" | "put"): void {
  for (const [key, row] of loose) entries[how]({ ...row, under: key }, key);
  for (const block of blocks) addBlock(entries, block);
}

function removeBlock(entries: IDBObjectStore, id: IDBValidKey): void {
  entries.delete(id);
  if (Array.isArray(id)) entries.delete(listPlace(id));
}

function addBlock(entries: IDBObjectStore, block: Block): void {
  if (block.size === 0) return;
  const id = blockId(block.size);
  const record = blockRecord(block);
  entries.add(record, [...id]);
  entries.add(record.under, id[0]);
}
