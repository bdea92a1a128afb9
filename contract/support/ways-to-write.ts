import type { KeyFormat, NASKeyStore } from "nas-keystore";

/** The calls that write a value in a format. */
export const WAYS: Readonly<Record<string, (store: NASKeyStore, key: string, value: unknown, format: KeyFormat) => Promise<unknown>>> = {
  // The first calls of a page: the serializer of "structured" has not loaded yet.
  first: (store, key, value, format) => store.store(key, value, { format }),
  store: (store, key, value, format) => store.store(key, value, { format }),
  bulkStore: (store, key, value, format) => store.bulkStore([[key, value]], { format }),
  // Keeps the format of the key. A function would be called: see update-function.ts.
  update: (store, key, value, format) => (typeof value === "function" ? store.store(key, value, { format }) : store.update(key, value)),
};

/** Stores a value under each key, so that `update` finds the format. */
export async function prepareKeys(store: NASKeyStore, keys: readonly string[], format: KeyFormat): Promise<void> {
  const old = format === "binary" ? new Uint8Array(1) : "old";
  await store.bulkStore(Object.fromEntries(keys.map((key) => [key, old])), { format });
}

/** The value that a format returns for a value that it keeps. */
export async function expectedValue(format: KeyFormat, value: unknown): Promise<unknown> {
  if (format === "json") return JSON.parse(JSON.stringify(value));
  return format === "binary" ? new Uint8Array(await new Blob([value as BlobPart]).arrayBuffer()) : value;
}
