import { KeyStoreError, messageOf, type KeyStoreErrorCode } from "../util/errors.ts";
import { copyOptions } from "./checks.ts";

/** An item of a bulk call, as it was given: its key, its value, its options, and their number. Nothing of it is checked, but the items are copies. */
export type GivenItem<Value> = readonly [key: unknown, value: Value, options: unknown, length: number];

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
      const item = (Array.isArray(pair) ? pair : []) as unknown[];
      const [key, value, own] = item;
      const options = copyOptions(own);
      return [key, captureValue(key as string, value, options), options, item.length];
    }),
  );
}

/**
 * The keys of a call, which its caller may change later. The write side checks them.
 * @returns undefined where they are not iterable: the write side refuses them
 * @throws KeyStoreError INVALID_KEY where they cannot be read
 */
export function readKeys(keys: unknown): string[] | undefined {
  return reading("INVALID_KEY", "keys", () => (isIterable(keys) ? Array.from(keys as Iterable<string>) : undefined));
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
