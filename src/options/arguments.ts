import { assertKey } from "../model/key.ts";
import { copyOptions } from "./checks.ts";
import { KeyStoreError, messageOf, type KeyStoreErrorCode } from "../util/errors.ts";

/** The value and a copy of the options of an item. */
type GivenItem = readonly [value: unknown, options: unknown];

/**
 * The items of a bulk call. A key that is given twice keeps its last item. The write side refuses items of any other type (write/bulk-items.ts).
 * @throws KeyStoreError INVALID_VALUE, INVALID_KEY, INVALID_OPTION
 */
export function readItems(items: unknown): Map<string, GivenItem> {
  return reading("INVALID_VALUE", "items", () => {
    const map = new Map<string, GivenItem>();
    for (const pair of pairsOf(items)) {
      if (!Array.isArray(pair) || pair.length < 2 || pair.length > 3) {
        throw new KeyStoreError("INVALID_VALUE", "Each item must be [key, value, options?].");
      }
      const [key, value, options] = pair as readonly unknown[];
      assertKey(key);
      map.set(key, [value, copyOptions(options)]);
    }
    return map;
  });
}

/** @throws KeyStoreError INVALID_KEY */
export function readKeys(keys: unknown): string[] {
  return reading("INVALID_KEY", "keys", () => {
    if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
      throw new KeyStoreError("INVALID_KEY", "The keys must be iterable.");
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
