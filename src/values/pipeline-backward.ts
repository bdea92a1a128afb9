import type { Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { bytesOf } from "../util/utf8.ts";
import { verifyChecksum } from "./checksum.ts";
import { gzipPart } from "./gzip-part.ts";

/**
 * stored payload → checksum → compression → payload, of a payload that is not encrypted: see encrypted-payload.ts. The row may hold anything.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE where a stage cannot be loaded
 */
export async function readPayload(key: string, row: StoredPayload): Promise<Payload> {
  const { payload, encoding, size, checksum } = row;
  if (encoding !== undefined) return (await gzipPart.load()).readCompressed(key, row);
  const bytes = typeof payload === "string" || payload instanceof Uint8Array ? bytesOf(payload) : undefined;
  await verifyChecksum(key, bytes?.length === size ? bytes : undefined, checksum);
  return payload;
}
