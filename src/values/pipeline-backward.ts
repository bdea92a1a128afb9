import type { Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { gzipPart } from "./gzip-part.ts";
import { readPlain } from "./plain-payload.ts";

/**
 * stored payload → checksum → compression → payload, of a payload that is not encrypted: see encrypted-payload.ts. The row may hold anything.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE where a stage cannot be loaded
 */
export async function readPayload(key: string, row: StoredPayload): Promise<Payload> {
  return row.encoding === undefined ? readPlain(key, row) : (await gzipPart.load()).readCompressed(key, row);
}
