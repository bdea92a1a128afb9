import { assertKey } from "../model/key.ts";
import { KeyStoreError, messageOf, type KeyStoreErrorCode } from "../util/errors.ts";
import { isPlainData } from "../values/plain-data.ts";

/** The items of a bulk call. A key given twice keeps its last value. @throws KeyStoreError INVALID_VALUE, INVALID_KEY */
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

/** @throws KeyStoreError INVALID_OPTION */
export function readPattern(pattern: unknown): string {
  if (typeof pattern === "string") return pattern;
  throw new KeyStoreError("INVALID_OPTION", "The pattern must be a string.", { option: "pattern" });
}

function pairsOf(items: unknown): Iterable<unknown> {
  if (typeof items === "object" && items !== null) {
    if (Symbol.iterator in items) return items as Iterable<unknown>;
    if (isPlainData(items) && !isAwaited(items)) return Object.entries(items);
  }
  throw new KeyStoreError(
    "INVALID_VALUE",
    "The items must be a plain object or an iterable of pairs [key, value]. Await a promise of them first.",
  );
}

/** Whether an object is a promise or an async iterable, of a class that is not the platform's. */
function isAwaited(items: object): boolean {
  return Symbol.asyncIterator in items || ("then" in items && typeof items.then === "function");
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
