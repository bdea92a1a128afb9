import { readKeyStoreOptions } from "./checks.ts";

/** The options of a store, checked, with the defaults that are needed at once. The write side adds the others, see defaults.ts. */
export type CheckedOptions = ReturnType<typeof checkedOptionsOf>;

/** @throws KeyStoreError INVALID_OPTION */
export function checkedOptionsOf(options: unknown) {
  const checked = { namespace: "default", cacheSize: 100, ...readKeyStoreOptions(options) };
  // The caller may change a list of keys later.
  if (checked.encryption) checked.encryption.key = [checked.encryption.key].flat();
  return checked;
}
