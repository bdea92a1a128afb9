import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import { verifyChecksum } from "./checksum.ts";
import { gunzip } from "./gzip.ts";

export { gzip } from "./gzip.ts";

/** Keeps a byte order mark at the start of a text. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** stored payload → checksum → compression → payload, of a compressed payload that is not encrypted. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED */
export async function readCompressed(key: string, { format, payload, size, ...row }: StoredPayload): Promise<Payload> {
  // Must verify the stored bytes before any other stage sees them.
  const stored = payload instanceof Uint8Array ? payload : undefined;
  await verifyChecksum(key, stored, row.storedChecksum);
  const bytes = decompress(key, stored!, size);
  await verifyChecksum(key, bytes, row.checksum);
  return format === KeyFormat.BINARY ? bytes : decoder.decode(bytes);
}

/** The input is compressed, and verified. @throws KeyStoreError DECODE_FAILED */
export function decompress(key: string, bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  try {
    return gunzip(bytes, size);
  } catch (cause) {
    throw new KeyStoreError("DECODE_FAILED", "The stored payload cannot be decompressed. Store or delete the key.", { key, cause });
  }
}
