import { promisifyRequest } from "idb-keyval";

import { LONG_AGO } from "../../model/row.ts";
import type { Database } from "../idb/database.ts";
import { asBlock, entriesUnder, listPlace } from "./block.ts";
import { ENTRIES, UNDER } from "../idb/schema.ts";

/** What is known of entries without loading their payloads. Entries with an expiry or tags, and tombstones, are never packed. */

/**
 * Keys that live at `now`, sorted by code unit, and those that have expired but are not marked so; from the key range
 * and indexes alone.
 * @param prefix what the living keys begin with
 */
export function listKeys(database: Database, now: number, prefix: string, tag?: string): Promise<{ living: string[]; expired: string[] }> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const entries = transaction.objectStore(ENTRIES);
    const [loose, packed, expired] = await Promise.all([
      promisifyRequest(tag === undefined ? entries.getAllKeys(prefixRange(prefix)) : entries.index("tags").getAllKeys(tag)) as Promise<
        string[]
      >,
      tag === undefined ? keysInBlocks(transaction, prefix) : [],
      expiredKeys(transaction, now),
    ]);
    const gone = new Set(expired);
    const keys = packed.length === 0 ? loose : [...new Set([...loose, ...packed])].toSorted();
    return {
      // No key of ours is anything but a string.
      living: keys.filter((key) => typeof key === "string" && !gone.has(key) && key.startsWith(prefix)),
      expired: expired.length === 0 ? [] : await expiredKeys(transaction, now, LONG_AGO),
    };
  });
}

/** So many keys are looked up by an index, which names the block of each; beyond, the keys of all blocks are read. */
const MOST_LOOKED_UP = 1_000;

/** The keys in blocks, among them all that begin with a prefix. */
async function keysInBlocks(transaction: IDBTransaction, prefix: string): Promise<string[]> {
  const entries = transaction.objectStore(ENTRIES);
  const found = prefix === "" ? undefined : await promisifyRequest(entries.index(UNDER).getAllKeys(prefixRange(prefix), MOST_LOOKED_UP));
  const lists: unknown[] =
    found === undefined || found.length === MOST_LOOKED_UP
      ? await promisifyRequest(entries.getAll(IDBKeyRange.upperBound(Infinity)))
      : await Promise.all(
          Array.from(new Set(found.flatMap((id) => (Array.isArray(id) ? [listPlace(id)] : []))), (id) =>
            promisifyRequest<unknown>(entries.get(id)),
          ),
        );
  return lists.flatMap((list) => (Array.isArray(list) ? list.filter((key) => typeof key === "string") : []));
}

/** How many entries live at `now`, and the bytes of their payloads before compression. */
export function measureLiving(database: Database, now: number): Promise<Usage> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const gone = new Set(await expiredKeys(transaction, now));
    return measureUse(transaction, gone);
  });
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

/** What the entries come to, expired ones included, but without some; from an index, without loading payloads. */
export async function measureUse(transaction: IDBTransaction, without: ReadonlySet<unknown> = new Set()): Promise<Usage> {
  const usage = { entries: 0, bytes: 0 };
  await eachUse(transaction, null, ({ key, primaryKey }) => {
    if (!without.has(primaryKey)) {
      usage.entries += entriesUnder(primaryKey);
      usage.bytes += (key as UseKey)[1];
    }
    return true;
  });
  return usage;
}

/**
 * The entries that were used longest ago, a bounded number of them, from a position on; in the order of use, those of a block
 * together.
 */
export async function leastRecentlyUsed(
  transaction: IDBTransaction,
  after: IDBValidKey | undefined,
  limit: number,
): Promise<{ groups: string[][]; next: IDBValidKey | undefined }> {
  const entries = transaction.objectStore(ENTRIES);
  const found: IDBValidKey[] = [];
  let count = 0;
  let next: IDBValidKey | undefined;
  await eachUse(transaction, after === undefined ? null : IDBKeyRange.lowerBound(after, true), ({ key, primaryKey }) => {
    found.push(primaryKey);
    count += entriesUnder(primaryKey);
    next = count < limit ? undefined : key;
    return count < limit;
  });
  const groups = await Promise.all(
    found.map(async (place) =>
      typeof place === "string" ? [place] : [...(asBlock(await promisifyRequest<unknown>(entries.get(place)))?.keys() ?? [])],
    ),
  );
  return { groups, next };
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

/** Strings alone: what lies under numbers and arrays are blocks. */
function prefixRange(prefix: string): IDBKeyRange {
  if (prefix === "") return IDBKeyRange.bound("", [], false, true);
  // The keys of a prefix are those before the first string that sorts after all of them.
  const last = prefix.charCodeAt(prefix.length - 1);
  if (last === 0xffff) return IDBKeyRange.bound(prefix, [], false, true);
  return IDBKeyRange.bound(prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1), false, true);
}
