import { readKeyStoreOptions } from "./checks.ts";

/** The options of a store, checked, with the defaults that are needed at once. The write side adds the others, see defaults.ts. */
export type CheckedOptions = ReturnType<typeof checkedOptionsOf>;

/** @throws KeyStoreError INVALID_OPTION */
export function checkedOptionsOf(options: unknown) {
  return { namespace: "default", cacheSize: 100, ...readKeyStoreOptions(options) };
}
