import { assertKey } from "../model/key.ts";
import { KeyStoreError, messageOf, type KeyStoreErrorCode } from "../util/errors.ts";

/**
 * The items of a bulk call. A key that is given twice keeps its last value. The write side refuses items of any other type (write/bulk-items.ts).
 * @throws KeyStoreError INVALID_VALUE, INVALID_KEY
 */
export function readItems(items: unknown): Map<string, unknown> {
  return reading("INVALID_VALUE", "items", () => {
    const map = new Map<string, unknown>();
    for (const pair of pairsOf(items)) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new KeyStoreError("INVALID_VALUE", "An item is not a pair. Give each item as [key, value].");
      }
      const [key, value] = pair as [unknown, unknown];
      assertKey(key);
      map.set(key, value);
    }
    return map;
  });
}

/** @throws KeyStoreError INVALID_KEY */
export function readKeys(keys: unknown): string[] {
  return reading("INVALID_KEY", "keys", () => {
    if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
      throw new KeyStoreError("INVALID_KEY", "The keys must be an array or another iterable of strings. Await a promise of them first.");
    }
    return Array.from(keys as Iterable<unknown>, (key) => {
      assertKey(key);
      return key;
    });
  });
}

function pairsOf(items: unknown): Iterable<unknown> {
  return typeof items === "object" && items !== null && Symbol.iterator in items
    ? (items as Iterable<unknown>)
    : Object.entries(Object(items) as object);
}

/** An iterator, a getter or a proxy of the caller may throw anything. */
function reading<T>(code: KeyStoreErrorCode, name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof KeyStoreError) throw cause;
    throw new KeyStoreError(code, `The ${name} cannot be read (${messageOf(cause)}). Correct the iterable.`, { cause });
  }
}
