import { fromUint8Array, toUint8Array } from "js-base64";

import { KeyFormat, type Payload } from "../model/metadata.ts";
import type { StoredPayload } from "../model/row.ts";
import { bytesOf } from "../util/utf8.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import { decode, readPayload } from "../values/pipeline.ts";
import { sha256 } from "../values/sha256.ts";
import { Malformed, type ReadEnvelope } from "./read-envelope.ts";

/** A payload may decompress to this many times the size of the largest message. */
const MAX_EXPANSION = 64;

export interface VerifiedPayload {
  readonly stored: StoredPayload;
  /** Before compression. Undefined: it is encrypted. */
  readonly original: Payload | undefined;
}

/**
 * The payload of an envelope as a row has it, verified: its checksum matches, its bytes decompress to the stated size, and a value can be
 * decoded from it. Of an encrypted one only the checksum: the store may not have its key.
 * @param maxBytes the most bytes that a message may have
 * @throws Malformed, CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE where a stage cannot be loaded, INSECURE_CONTEXT
 */
export async function verifiedPayload(envelope: ReadEnvelope, maxBytes: number): Promise<VerifiedPayload> {
  const { key, format, value, size = 0 } = envelope;
  if (value.length > maxBytes || size > MAX_EXPANSION * maxBytes) throw new Malformed();
  const stored = await storedPayload(envelope);
  const payload = await verify(key, stored);
  if (payload !== undefined) await decode(key, payload, format);
  return { stored, original: payload };
}

/**
 * Verifies a stored payload.
 * @returns the payload, uncompressed; undefined for an encrypted one
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, STORAGE_UNAVAILABLE, INSECURE_CONTEXT
 */
export async function verify(key: string, stored: StoredPayload): Promise<Payload | undefined> {
  if (stored.encryption === undefined) return readPayload(key, stored);
  await (await encryptionPart.load()).verifyEncrypted(key, stored);
  return undefined;
}

async function storedPayload({ format, encoding, encryption, value, checksum, size }: ReadEnvelope): Promise<StoredPayload> {
  const isBinary = format === KeyFormat.BINARY || encoding !== undefined || encryption !== undefined;
  const payload = isBinary ? bytesOfBase64(value) : value;
  if (encoding === undefined && encryption === undefined) {
    // An MD5 of the sender is not verified: WebCrypto has none.
    return { format, payload, checksum: checksum ?? (await sha256(bytesOf(payload))), size: size ?? bytesOf(payload).length };
  }
  if (checksum === undefined || size === undefined) throw new Malformed();
  return {
    format,
    payload,
    checksum,
    size,
    ...(encoding === undefined ? undefined : { encoding }),
    ...(encryption === undefined ? { storedChecksum: await sha256(bytesOf(payload)) } : { encryption }),
  };
}

/** Refuses what only lenient decoders accept. */
function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = toUint8Array(text);
  if (fromUint8Array(bytes) !== text) throw new Malformed();
  return bytes;
}
