import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { EntryRow, StoredPayload } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import { bytesOf } from "../util/utf8.ts";
import { encryptionPart } from "./encryption-part.ts";
import { gzipPart } from "./gzip-part.ts";
import type { EncryptionSettings } from "./key-source.ts";
import { sha256 } from "./sha256.ts";

/** Keeps a byte order mark at the start of a text. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * stored payload → checksum → encryption → compression → payload, of an encrypted payload. The row may hold anything.
 * @param settings of the store that reads
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT, STORAGE_UNAVAILABLE
 */
export async function readEncrypted(key: string, row: StoredPayload, settings: EncryptionSettings): Promise<Payload> {
  const { decrypt } = await encryptionPart.load();
  return originalOf(key, row, await decrypt(key, row, settings));
}

/**
 * The row from which the message of an encrypted entry is made. Undefined: the message is in plain text, and no store of the page has loaded
 * the key.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, INSECURE_CONTEXT, STORAGE_UNAVAILABLE
 */
export async function publishedRow(
  namespace: string,
  key: string,
  row: EntryRow,
  stores: readonly EncryptionSettings[],
): Promise<EntryRow | undefined> {
  const { decryptIfLoaded, verifyEncrypted } = await encryptionPart.load();
  if ((await verifyEncrypted(key, row)).messages) return row;
  const bytes = await decryptIfLoaded(namespace, key, row, stores);
  return bytes && plainRow(key, row, bytes);
}

/** The row of an encrypted entry as a store without encryption writes it. @param bytes the payload before encryption */
async function plainRow(key: string, row: EntryRow, bytes: Uint8Array<ArrayBuffer>): Promise<EntryRow> {
  const original = await originalOf(key, row, bytes);
  const { encryption: _, ...plain } = row;
  const checksum = await sha256(bytesOf(original));
  if (row.encoding === undefined) return { ...plain, payload: original, checksum };
  return { ...plain, payload: bytes, checksum, storedChecksum: await sha256(bytes) };
}

async function originalOf(key: string, { format, encoding, size }: StoredPayload, bytes: Uint8Array<ArrayBuffer>): Promise<Payload> {
  const original = encoding === undefined ? bytes : (await gzipPart.load()).decompress(key, bytes, size);
  if (original.length === size) return format === KeyFormat.BINARY ? original : decoder.decode(original);
  throw new KeyStoreError("DECODE_FAILED", "The size of the stored payload differs from that in its entry. Store or delete the key.", {
    key,
  });
}
