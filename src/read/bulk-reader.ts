import { isDamage } from "../util/errors.ts";
import type { Decoded } from "../values/formats.ts";
import type { Reader } from "./reader.ts";

/** The value under a key. @param useCache false: past memory. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, STORAGE_UNAVAILABLE */
export async function readOne(reader: Entries, key: string, useCache: boolean): Promise<Decoded | undefined> {
  return (useCache ? reader.readCached(key) : undefined) ?? (await reader.readEntry(key, useCache))?.decoded;
}

/**
 * The values found, in the order of the keys. Damaged entries are left out, with a `corrupt` event each.
 * @throws KeyStoreError DECRYPT_FAILED for an entry whose encryption key the store does not have
 */
export async function readMany(reader: Entries, keys: Iterable<string>, useCache: boolean): Promise<Map<string, unknown>> {
  const distinct = [...new Set(keys)];
  const found = await Promise.all(distinct.map((key) => readOne(reader, key, useCache).catch(ignoreDamage)));
  const values = new Map<string, unknown>();
  for (const [index, decoded] of found.entries()) if (decoded !== undefined) values.set(distinct[index] as string, decoded.value);
  return values;
}

type Entries = Pick<Reader, "readCached" | "readEntry">;

function ignoreDamage(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
