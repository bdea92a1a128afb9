import { KeyStoreError } from "../util/errors.ts";

/** Compares the option `ifVersion` with the entry that there is. @throws KeyStoreError VERSION_CONFLICT */
export function checkVersion(key: string, present: { readonly version: number } | undefined, ifVersion: number | undefined): void {
  const version = present?.version ?? 0;
  if (ifVersion === undefined || ifVersion === version) return;
  const actual = version === 0 ? "the key does not exist" : `the key is at version ${version}`;
  throw new KeyStoreError("VERSION_CONFLICT", `Expected version ${ifVersion}, but ${actual}. Read the key again, then retry.`, { key });
}
