import type { KeyFormat, Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { bytesOf } from "../util/utf8.ts";
import { digestOf, type Digest } from "./digest.ts";
import { gzipPart } from "./gzip-part.ts";

/** A payload after the compression stage, compressed or not. */
export interface Compressed extends Pick<StoredPayload, "format" | "payload" | "encoding"> {
  /** The payload before compression, as memory keeps it. */
  readonly original: Payload;
  /** Of the original, where its bytes were at hand: text is encoded to UTF-8 once per write, and the bytes are not kept. */
  readonly digest?: Digest;
  /** The text that is stored, as a JSON string, where it was made to measure the message. */
  readonly quoted?: string | undefined;
}

/**
 * payload → compression. Afterwards the size of the message is known.
 * @param thresholdBytes Infinity turns compression off
 * @param maxBytes a larger payload will be refused: it is neither compressed to its end nor hashed
 * @throws KeyStoreError INSECURE_CONTEXT
 */
export async function compressPayload(
  format: KeyFormat,
  original: Payload,
  thresholdBytes: number,
  maxBytes = Infinity,
): Promise<Compressed> {
  const plain = { format, original, payload: original };
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  if (original.length * 3 <= thresholdBytes) return plain;
  // Where the stage cannot be loaded, the payload is stored as it is.
  const gzip = await gzipPart.load().catch(() => undefined);
  if (gzip === undefined) return plain;
  try {
    const bytes = bytesOf(original);
    const compressed = bytes.length > thresholdBytes ? gzip.gzip(bytes, maxBytes) : bytes;
    // Too large even so: the size is refused next.
    if (Math.min(bytes.length, compressed.length) > maxBytes) return { ...plain, payload: compressed };
    const digest = digestOf(bytes);
    return compressed.length < bytes.length ? { ...plain, digest, payload: compressed, encoding: "gzip" } : { ...plain, digest };
  } catch (error) {
    // The engine has no buffer of that size. The size is refused next.
    if (error instanceof RangeError) return plain;
    throw error;
  }
}

/** Measures a payload: its bytes, and those in a message. Each text is encoded once. @throws KeyStoreError INSECURE_CONTEXT */
export function measured(compressed: Compressed): Compressed {
  const { original, payload } = compressed;
  const quoted = typeof payload === "string" ? JSON.stringify(payload) : undefined;
  return { ...compressed, quoted, digest: compressed.digest ?? digestOf(bytesOf(original)) };
}

/** → checksum → stored payload that is not encrypted. A read verifies the size and the checksums. @throws KeyStoreError INSECURE_CONTEXT */
export async function finishPayload({ format, original, payload, encoding, digest }: Compressed): Promise<StoredPayload> {
  const { size, checksum } = digest ?? digestOf(bytesOf(original));
  if (encoding === undefined) return { format, payload, checksum: await checksum, size };
  const stored = digestOf(bytesOf(payload));
  return { format, payload, encoding, storedChecksum: await stored.checksum, checksum: await checksum, size };
}
