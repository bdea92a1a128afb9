import { promisifyRequest } from "idb-keyval";

import { batches } from "../../util/batches.ts";
import { LONG_AGO, type Row } from "../../model/row.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { find } from "./find.ts";
import { expiredKeys, keysOfBlocks, prefixRange } from "./listing.ts";

/** A part of the keys, in the order of code units. Expired and deleted entries count. */
export interface Scan {
  readonly prefix: string;
  /** Only keys of entries with this tag. */
  readonly tag: string | undefined;
  /** Only keys that follow this one. */
  readonly after: string | undefined;
}

/** Keys, or rows, that follow each other, and the key after which the scan goes on; undefined: it has ended. */
export interface Part<T> {
  readonly found: T[];
  readonly next: string | undefined;
}

/** The first keys of a scan, in an open transaction. Loads no payload. */
export async function scanKeys(transaction: IDBTransaction, { prefix, tag, after }: Scan, limit: number): Promise<Part<string>> {
  const entries = transaction.objectStore(ENTRIES);
  const range = rangeAfter(prefix, after);
  if (range === undefined) return { found: [], next: undefined };
  if (tag !== undefined) {
    const tagged = await taggedKeys(entries, tag, range, limit);
    return partOf(tagged, prefix, tagged.length === limit);
  }
  // The index has the keys in blocks as well, but not those of damaged records.
  const [loose, places] = await Promise.all([
    promisifyRequest(entries.getAllKeys(range, limit)) as Promise<string[]>,
    promisifyRequest(entries.index("keys").getAllKeys(range, limit)),
  ]);
  const inBlocks = (await keysOfBlocks(entries, places)).filter((key) => range.includes(key));
  const found = (inBlocks.length === 0 ? loose : [...new Set([...loose, ...inBlocks])].toSorted()).slice(0, limit);
  return partOf(found, prefix, loose.length === limit || places.length === limit);
}

/** Keys in order, without those that follow the ones with the prefix: see prefixRange. */
function partOf(keys: string[], prefix: string, hasMore: boolean): Part<string> {
  const found = keys.filter((key) => key.startsWith(prefix));
  return { found, next: hasMore && found.length === keys.length ? found.at(-1) : undefined };
}

const LIST_KEYS = 1_000;

/**
 * Lists the first living keys of a scan at `now`, of those that are accepted, and the keys that have expired but are not marked as expired.
 * Reads the keys of all expired entries, but no more of the others than it needs.
 */
export function listPage(
  database: Pick<Database, "run">,
  now: number,
  scan: Scan,
  limit: number,
  accepts: (key: string) => boolean,
): Promise<{ living: string[]; expired: string[] }> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const expired = await expiredKeys(transaction, now);
    const gone = new Set(expired);
    const living: string[] = [];
    let { after } = scan;
    do {
      const { found, next } = await scanKeys(transaction, { ...scan, after }, Math.min(limit + expired.length, LIST_KEYS));
      living.push(...found.filter((key) => !gone.has(key) && accepts(key)));
      after = next;
    } while (after !== undefined && living.length < limit);
    return { living: living.slice(0, limit), expired: expired.length === 0 ? [] : await expiredKeys(transaction, now, LONG_AGO) };
  });
}

/** A page holds about this many units of payloads at most, but at least the rows of one batch. */
const PAGE_LENGTH = 1024 * 1024;
const PAGE_KEYS = 256;
const BATCH_KEYS = 16;

/** The first rows of a scan, in an open transaction: of the keys that are accepted, a bounded number. */
export async function scanRows(
  transaction: IDBTransaction,
  scan: Scan,
  accepts: (key: string) => boolean,
): Promise<Part<readonly [key: string, row: Row]>> {
  const keys = await scanKeys(transaction, scan, PAGE_KEYS);
  const found: (readonly [string, Row])[] = [];
  let length = 0;
  for (const batch of batches(keys.found.filter(accepts), BATCH_KEYS)) {
    if (length >= PAGE_LENGTH) return { found, next: found.at(-1)?.[0] };
    const { rows } = await find(transaction, batch);
    for (const key of batch) {
      const row = rows.get(key);
      if (row === undefined) continue;
      found.push([key, row]);
      if ("payload" in row) length += row.payload.length;
    }
  }
  return { found, next: keys.next };
}

function rangeAfter(prefix: string, after: string | undefined): IDBKeyRange | undefined {
  const range = prefixRange(prefix);
  if (after === undefined || after < prefix) return range;
  return after.startsWith(prefix) ? IDBKeyRange.bound(after, range.upper, true, true) : undefined;
}

/** Goes through the index, since the keys of a tag may be many. Entries with tags are in no block. */
function taggedKeys(entries: IDBObjectStore, tag: string, range: IDBKeyRange, limit: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const found: string[] = [];
    const request = entries.index("tags").openKeyCursor(tag);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null || found.length === limit) return resolve(found);
      const order = indexedDB.cmp(cursor.primaryKey, range.lower);
      if (range.includes(cursor.primaryKey)) found.push(cursor.primaryKey as string);
      else if (order > 0) return resolve(found);
      if (order < 0) cursor.continuePrimaryKey(tag, range.lower as IDBValidKey);
      else cursor.continue();
    };
  });
}
