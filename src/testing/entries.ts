import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import type { Database } from "../storage/idb/database.ts";
import { find } from "../storage/entries/find.ts";
import { leastRecentlyUsed } from "../storage/entries/usage.ts";
import { removeAllBut } from "../storage/entries/remove.ts";
import { addRows, replaceRows } from "../storage/entries/write.ts";
import type { EntryRow, Row } from "../model/row.ts";
import { resultOf } from "./indexeddb.ts";
import { entryRow, NOW } from "./rows.ts";

/** `count` keys: k0, k1 … */
export const names = (count: number, prefix = "k"): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

export const rowOf = (key: string, fields: Partial<EntryRow> = {}): EntryRow => ({ ...entryRow(fields), key });

/** A row of one byte for each key, used in the order of the keys. */
export function rowsOf(keys: readonly string[]): Map<string, Row> {
  return new Map(keys.map((key, n) => [key, rowOf(key, { size: 1, lastUsed: NOW + n })]));
}

export function add(database: Database, rows: ReadonlyMap<string, Row>): Promise<void> {
  return database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
}

export function change(database: Database, changes: ReadonlyMap<string, Row | undefined>): Promise<void> {
  return database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) =>
    replaceRows(transaction, await find(transaction, changes.keys()), changes),
  );
}

export function keepOnly(database: Database, keys: Iterable<string>): Promise<void> {
  return database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeAllBut(transaction, new Set(keys)));
}

export async function readRows(database: Database, keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
  return (await database.run([ENTRIES], "readonly", (transaction) => find(transaction, keys))).rows;
}

/** The least recently used entries, about 100 of them. */
export async function leastUsed(database: Database): Promise<string[]> {
  const { groups } = await database.run([ENTRIES], "readonly", (transaction) => leastRecentlyUsed(transaction, undefined, 100));
  return groups.flat();
}

/** The number of records in the table of entries. */
export function countRecords(database: Database): Promise<number> {
  return database.run([ENTRIES], "readonly", (transaction) => resultOf(transaction.objectStore(ENTRIES).count()));
}
