import { KeyStoreError, messageOf, type KeyStoreErrorCode } from "../util/errors.ts";
import { copyOptions } from "./checks.ts";

/** An item of a bulk call, as it was given: its key, its value, its options, and their number. Nothing of it is checked, but the items are copies. */
export type GivenItem<Value> = readonly [key: unknown, value: Value, options: unknown, length: number | undefined];

/**
 * The items of a bulk call, which its caller may change later. The write side checks them (write/bulk-items.ts).
 * @param captureValue captures a value in the call
 * @throws KeyStoreError INVALID_VALUE, INVALID_OPTION where the items cannot be read
 */
export function readItems<Value>(
  items: unknown,
  captureValue: (key: string, value: unknown, options: unknown) => Value,
): GivenItem<Value>[] {
  return reading("INVALID_VALUE", "items", () =>
    Array.from(isIterable(items) ? items : Object.entries(Object(items) as object), (pair) => {
      const [key, value, own] = (Array.isArray(pair) ? pair : []) as unknown[];
      const options = copyOptions(own);
      return [key, captureValue(key as string, value, options), options, Array.isArray(pair) ? pair.length : undefined];
    }),
  );
}

/** The keys of a call, which its caller may change later. The write side checks them. @throws KeyStoreError INVALID_KEY where they cannot be read */
export function readKeys(keys: unknown): string[] {
  return reading("INVALID_KEY", "keys", () => {
    if (!isIterable(keys)) {
      throw new KeyStoreError("INVALID_KEY", "The keys must be an array or another iterable of strings. Await a promise of them first.");
    }
    return Array.from(keys as Iterable<string>);
  });
}

function isIterable(items: unknown): items is Iterable<unknown> {
  return typeof items === "object" && items !== null && Symbol.iterator in items;
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
