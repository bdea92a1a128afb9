import { assertKey } from "../model/key.ts";
import type { GivenItem } from "../options/arguments.ts";
import { KeyStoreError } from "../util/errors.ts";
import { isPlainData } from "../values/plain-data.ts";

/**
 * The items of a bulk call by key. A key that is given twice keeps its last item.
 * @param items the caller's argument. @param given read from it
 * @throws KeyStoreError INVALID_VALUE, INVALID_KEY
 */
export function checkItems<Value>(items: unknown, given: readonly GivenItem<Value>[]): Map<string, { value: Value; options: unknown }> {
  assertItems(items);
  return new Map(
    given.map(([key, value, options, length]) => {
      if (length !== 2 && length !== 3) {
        throw new KeyStoreError("INVALID_VALUE", "An item is not a pair. Give each item as [key, value] or [key, value, options].");
      }
      assertKey(key);
      return [key, { value, options }];
    }),
  );
}

/** Refuses what would be read as no items at all, for example a promise. @throws KeyStoreError INVALID_VALUE */
function assertItems(items: unknown): void {
  if (typeof items === "object" && items !== null && (Symbol.iterator in items || (isPlainData(items) && !isAwaited(items)))) return;
  throw new KeyStoreError(
    "INVALID_VALUE",
    "The items must be a plain object or an iterable of pairs [key, value]. Await a promise of them first.",
  );
}

/** Whether an object is a promise or an async iterable, of a class that is not the platform's. */
function isAwaited(items: object): boolean {
  return Symbol.asyncIterator in items || ("then" in items && typeof items.then === "function");
}
