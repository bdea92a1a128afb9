import { promisifyRequest } from "idb-keyval";

import { AFTER_MARKS } from "../../model/row.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { keysPlace } from "./block.ts";

/** Below this number, the index names the block of each key of a prefix. From it on, the keys of all blocks are read. */
const MAX_LOOKUPS = 1_000;

/**
 * Lists the living keys at `now`, sorted by code unit, and the keys that have expired but are not marked as expired. Loads no payload.
 * @param prefix the beginning of the living keys
 */
export function listKeys(database: Pick<Database, "run">, now: number, prefix: string, tag?: string) {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const entries = transaction.objectStore(ENTRIES);
    const looseKeys = tag === undefined ? entries.getAllKeys(prefixRange(prefix)) : entries.index("tags").getAllKeys(tag);
    const [loose, inBlocks, expired] = await Promise.all([
      promisifyRequest(looseKeys) as Promise<string[]>,
      tag === undefined ? keysInBlocks(entries, prefix) : [],
      expiredKeys(transaction, now),
    ]);
    const gone = new Set(expired);
    const keys = inBlocks.length === 0 ? loose : [...new Set([...loose, ...inBlocks])].toSorted();
    return {
      // A damaged database may have keys that are not strings.
      living: keys.filter((key) => typeof key === "string" && !gone.has(key) && key.startsWith(prefix)),
      expired: expired.length === 0 ? [] : await expiredKeys(transaction, now, AFTER_MARKS),
    };
  });
}

/** The keys of expired entries and of tombstones at `now`; with `after`, only those that expired after that. */
export async function expiredKeys(transaction: IDBTransaction, now: number, after = -Infinity): Promise<string[]> {
  if (after >= now) return [];
  const expiry = transaction.objectStore(ENTRIES).index("expiresAt");
  return promisifyRequest(expiry.getAllKeys(IDBKeyRange.bound(after, now, true))) as Promise<string[]>;
}

/** Keys in blocks, among them all that begin with the prefix. */
async function keysInBlocks(entries: IDBObjectStore, prefix: string): Promise<string[]> {
  const found = prefix === "" ? undefined : await promisifyRequest(entries.index("keys").getAllKeys(prefixRange(prefix), MAX_LOOKUPS));
  if (found !== undefined && found.length < MAX_LOOKUPS) return keysOfBlocks(entries, found);
  return keysIn(await promisifyRequest<unknown[]>(entries.getAll(IDBKeyRange.upperBound(Infinity))));
}

/** The keys of the blocks that are among some places of entries. */
export async function keysOfBlocks(entries: IDBObjectStore, places: readonly IDBValidKey[]): Promise<string[]> {
  const lists = new Set(places.flatMap((place) => (Array.isArray(place) ? [keysPlace(place)] : [])));
  return keysIn(await Promise.all(Array.from(lists, (place) => promisifyRequest<unknown>(entries.get(place)))));
}

function keysIn(lists: readonly unknown[]): string[] {
  return lists.flatMap((list) => (Array.isArray(list) ? list.filter((key) => typeof key === "string") : []));
}

/** The strings that begin with a prefix. The keys of blocks are numbers and arrays. */
export function prefixRange(prefix: string): IDBKeyRange {
  if (prefix === "") return IDBKeyRange.bound("", [], false, true);
  // The keys of a prefix come before the first string that sorts after all of them.
  const last = prefix.charCodeAt(prefix.length - 1);
  if (last === 0xffff) return IDBKeyRange.bound(prefix, [], false, true);
  return IDBKeyRange.bound(prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1), false, true);
}
