import { KeyStoreError } from "../util/errors.ts";
import { isPlainData } from "../values/plain-data.ts";

/** Refuses what would be read as no items at all, for example a promise. @throws KeyStoreError INVALID_VALUE */
export function assertItems(items: unknown): void {
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
