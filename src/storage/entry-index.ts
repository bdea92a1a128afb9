import { promisifyRequest } from "idb-keyval";

import { asRow, LONG_AGO, type Row } from "../entry/row.ts";
import type { Database } from "./database.ts";
import { rowOf } from "./entry-table.ts";
import { ENTRIES } from "./schema.ts";

/**
 * Keys that live at `now`, sorted by code unit, and those that have expired but are not marked so; from the key range
 * and indexes alone.
 * @param prefix what the living keys begin with
 */
export function listKeys(
  database: Database,
  now: number,
  prefix: string,
  tag?: string,
): Promise<{ living: string[]; expired: string[] }> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const entries = transaction.objectStore(ENTRIES);
    const [keys, expired] = await Promise.all([
      promisifyRequest(
        tag === undefined ? entries.getAllKeys(prefixRange(prefix)) : entries.index("tags").getAllKeys(tag),
      ) as Promise<string[]>,
      expiredKeys(transaction, now),
    ]);
    const gone = new Set(expired);
    return {
      living: keys.filter((key) => !gone.has(key) && key.startsWith(prefix)),
      expired: expired.length === 0 ? [] : await expiredKeys(transaction, now, LONG_AGO),
    };
  });
}

/** How many entries live at `now`, and the bytes of their payloads before compression. */
export function measureLiving(database: Database, now: number): Promise<Usage> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const gone = new Set(await expiredKeys(transaction, now));
    return measureUse(transaction, (key) => !gone.has(key));
  });
}

/** So many keys are looked up one by one: requests under way together cost less than one more in a row. */
export const FEW_KEYS = 8;

/**
 * In an open transaction: the rows under many keys. New keys, which most of a batch are, cost one look at the range that
 * they lie in, as long as that does not hold much else.
 */
export async function rowsOf(transaction: IDBTransaction, keys: ReadonlySet<string>): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const load = async (wanted: Iterable<string>): Promise<void> => {
    await Promise.all(
      Array.from(wanted, async (key) => {
        const row = await rowOf(transaction, key);
        if (row !== undefined) rows.set(key, row);
      }),
    );
  };
  if (keys.size <= FEW_KEYS) {
    await load(keys);
    return rows;
  }
  // By code unit, as IndexedDB sorts strings.
  const sorted = [...keys].toSorted();
  const range = IDBKeyRange.bound(sorted[0], sorted.at(-1));
  const entries = transaction.objectStore(ENTRIES);
  const there = (await promisifyRequest(entries.getAllKeys(range, keys.size))) as string[];
  // Full: what lies behind the last one is not known.
  const last = there.length === keys.size ? (there.at(-1) as string) : undefined;
  const wanted = there.filter((key) => keys.has(key));
  if (wanted.length === there.length) {
    const values: unknown[] = there.length === 0 ? [] : await promisifyRequest(entries.getAll(range, there.length));
    there.forEach((key, index) => {
      const row = asRow(values[index], key);
      if (row !== undefined) rows.set(key, row);
    });
  } else {
    await load(wanted);
  }
  if (last !== undefined) await load(sorted.filter((key) => key > last));
  return rows;
}

export function putRow(transaction: IDBTransaction, key: string, row: Row): void {
  transaction.objectStore(ENTRIES).put(row, key);
}

export function removeRow(transaction: IDBTransaction, key: string): void {
  transaction.objectStore(ENTRIES).delete(key);
}

/** Removes every row but those of `kept`, which must be sorted; by ranges between them, so that no payload is loaded. */
export function removeAllBut(transaction: IDBTransaction, kept: readonly string[]): void {
  const entries = transaction.objectStore(ENTRIES);
  if (kept.length === 0) {
    entries.clear();
    return;
  }
  let after: string | undefined;
  for (const key of kept) {
    if (after === undefined) entries.delete(IDBKeyRange.upperBound(key, true));
    else if (after < key) entries.delete(IDBKeyRange.bound(after, key, true, true));
    after = key;
  }
  if (after !== undefined) entries.delete(IDBKeyRange.lowerBound(after, true));
}

/** Keys whose row is absent at `now`: expired entries and tombstones; with `after`, only what expired after that. */
export async function expiredKeys(transaction: IDBTransaction, now: number, after = -Infinity): Promise<string[]> {
  if (after >= now) return [];
  const expiry = transaction.objectStore(ENTRIES).index("expiresAt");
  return promisifyRequest(expiry.getAllKeys(IDBKeyRange.bound(after, now, true))) as Promise<string[]>;
}

/** A number of entries and the bytes of their payloads. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

/** What the entries come to that count, expired ones included; from an index, without loading payloads. */
export async function measureUse(
  transaction: IDBTransaction,
  counts: (key: string) => boolean = () => true,
): Promise<Usage> {
  const usage = { entries: 0, bytes: 0 };
  await eachUse(transaction, null, ({ key, primaryKey }) => {
    if (counts(primaryKey as string)) {
      usage.entries++;
      usage.bytes += (key as UseKey)[1];
    }
    return true;
  });
  return usage;
}

/** The entries that were used longest ago, a bounded number of them, from a position on. */
export async function leastRecentlyUsed(
  transaction: IDBTransaction,
  after: IDBValidKey | undefined,
  limit: number,
): Promise<{ key: string; position: IDBValidKey }[]> {
  const found: { key: string; position: IDBValidKey }[] = [];
  await eachUse(transaction, after === undefined ? null : IDBKeyRange.lowerBound(after, true), ({ key, primaryKey }) => {
    found.push({ key: primaryKey as string, position: key });
    return found.length < limit;
  });
  return found;
}

/** A key of the index `use`. */
type UseKey = [lastUsed: number, size: number];

/** Visits the index `use` in the order of use, as long as `visit` says true. */
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

function prefixRange(prefix: string): IDBKeyRange | null {
  if (prefix === "") return null;
  // The keys of a prefix are those before the first string that sorts after all of them.
  const last = prefix.charCodeAt(prefix.length - 1);
  if (last === 0xffff) return IDBKeyRange.lowerBound(prefix);
  return IDBKeyRange.bound(prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1), false, true);
}
