import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { bytesOf, textOf } from "../util/utf8.ts";
import { verifyChecksum } from "./checksum.ts";
import { gzipPart } from "./gzip-part.ts";

/**
 * stored payload → checksum → (encryption) → compression → payload. The row may hold anything.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE where a stage cannot be loaded
 */
export async function readPayload(key: string, { format, payload, encoding, size, ...row }: StoredPayload): Promise<Payload> {
  // Must verify the stored bytes before any other stage sees them.
  if (encoding === undefined) {
    const bytes = typeof payload === "string" || payload instanceof Uint8Array ? bytesOf(payload) : undefined;
    await verifyChecksum(key, bytes?.length === size ? bytes : undefined, row.checksum);
    return payload;
  }
  const stored = payload instanceof Uint8Array ? payload : undefined;
  await verifyChecksum(key, stored, row.storedChecksum);
  const { decompress } = await gzipPart.load();
  const bytes = decompress(key, stored!, size);
  await verifyChecksum(key, bytes, row.checksum);
  return format === KeyFormat.BINARY ? bytes : textOf(bytes);
}
