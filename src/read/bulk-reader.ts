import { isDamage } from "../util/errors.ts";
import type { Reader } from "./reader.ts";

/**
 * The values found, in the order of the keys. Damaged entries are left out, with a `corrupt` event each.
 * @throws KeyStoreError DECRYPT_FAILED for an entry whose encryption key the store does not have
 */
export async function readMany(reader: Pick<Reader, "read">, keys: Iterable<string>, useCache: boolean): Promise<Map<string, unknown>> {
  const distinct = [...new Set(keys)];
  const found = await Promise.all(distinct.map((key) => reader.read(key, useCache).catch(ignoreDamage)));
  const values = new Map<string, unknown>();
  for (const [index, decoded] of found.entries()) if (decoded !== undefined) values.set(distinct[index] as string, decoded.value);
  return values;
}

function ignoreDamage(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
