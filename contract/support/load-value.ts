import type { NASKeyStore, RetrieveOrStoreOptions } from "nas-keystore";

/** `Tab.load`: a function cannot be posted to another realm. */
export function loadValue(store: NASKeyStore, key: string, value: unknown, options?: RetrieveOrStoreOptions): Promise<unknown> {
  return store.retrieveOrStore(key, () => (value === "never ends" ? new Promise(() => undefined) : value), options);
}
