import { promisifyRequest } from "idb-keyval";

import { ENTRIES } from "../idb/schema.ts";
import { keysPlace, shrinkBlock } from "./block.ts";
import { find } from "./find.ts";
import { greatestVersion } from "./usage.ts";
import { raiseFloor } from "./version-floor.ts";

/** Removes records that claim one of the keys but are stored under another, in an open transaction. Only damage makes such records. */
export async function removeStrays(transaction: IDBTransaction, keys: Iterable<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const { blocks } = await find(transaction, keys);
  await Promise.all(
    Array.from(keys, async (key) => {
      const place = await promisifyRequest(entries.index("keys").getKey(key));
      if (place !== undefined && place !== key && !blocks.has(key)) entries.delete(place);
    }),
  );
}

/**
 * Removes every entry except those of `kept`, in an open transaction, and raises the version floor. Deletes the ranges between the kept
 * entries: no payload is loaded, except of blocks that lose some of their entries.
 */
export async function removeAllBut(transaction: IDBTransaction, kept: ReadonlySet<string>): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const index = entries.index("keys");
  const greatest = await greatestVersion(transaction);
  const places = await Promise.all(Array.from(kept, (key) => promisifyRequest(index.getKey(key))));
  const blocks = [...new Map(places.flatMap((place) => (Array.isArray(place) ? [[JSON.stringify(place), place]] : []))).values()];
  const lists = await Promise.all(blocks.map(async (id) => promisifyRequest<unknown>(entries.get(keysPlace(id)))));

  // IndexedDB sorts numbers before strings, and strings before arrays.
  const stay: IDBValidKey[] = [
    ...[...new Set(blocks.map(keysPlace))].toSorted((a, b) => a - b),
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

  for (const [n, id] of blocks.entries()) {
    const list = lists[n];
    if (Array.isArray(list) && list.every((key) => kept.has(key as string))) continue;
    shrinkBlock(entries, id, await promisifyRequest<unknown>(entries.get(id)), (key) => kept.has(key));
  }
  await raiseFloor(transaction, greatest);
}
