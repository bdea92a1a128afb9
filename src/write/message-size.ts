import { messageFor, wireSize } from "../model/envelope.ts";
import type { EntryRow, RowEncryption } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import { bytesOf } from "../util/utf8.ts";
import type { Compressed } from "../values/pipeline-forward.ts";

/** A message without its payload, key and tags has fewer bytes than this. */
const ENVELOPE_BYTES = 2048;
/** JSON turns a UTF-16 unit into at most six bytes. */
const MAX_BYTES_PER_UNIT = 6;

/** Placeholders of the maximum length. */
const CHECKSUM = "0".repeat(64);
const ORIGIN = "0".repeat(32);
const LONGEST_NUMBER = Number.MAX_SAFE_INTEGER;
const INSTANCE_ID = `${ORIGIN}.${LONGEST_NUMBER}`;

/** The tag that AES-GCM appends to a ciphertext. */
const TAG_BYTES = 16;
const ENCRYPTION: RowEncryption = { keyId: "0".repeat(16), nonce: "0".repeat(16), messages: true };

/** Refuses a payload before it is encoded: each of its units takes a byte or more. @throws KeyStoreError PAYLOAD_TOO_LARGE */
export function checkPayloadLength(key: string, units: number, maxBytes: number): void {
  if (units > maxBytes) throw tooLarge(key, `more than ${units}`, maxBytes);
}

/**
 * Measures the message of a write as it may become, with the longest numbers. Measures exactly only what may be too large.
 * @param isEncrypted the message carries the ciphertext
 * @throws KeyStoreError PAYLOAD_TOO_LARGE
 */
export function checkMessageSize(
  namespace: string,
  key: string,
  { format, original, payload, encoding, digest, quoted }: Compressed,
  { ttl, tags }: Pick<EntryRow, "ttl"> & { readonly tags: readonly string[] },
  maxBytes: number,
  isEncrypted = false,
): void {
  const units = payload.length + 2 * key.length + tags.reduce((sum, tag) => sum + tag.length + 1, 0);
  if (units * MAX_BYTES_PER_UNIT + ENVELOPE_BYTES <= maxBytes) return;
  const size = digest?.size ?? bytesOf(original).length;
  const row = {
    format,
    payload: "",
    ...(encoding === undefined ? undefined : { encoding }),
    ...(isEncrypted ? { encryption: ENCRYPTION } : undefined),
    checksum: CHECKSUM,
    size,
    version: LONGEST_NUMBER,
    createdAt: 0,
    updatedAt: 0,
    ttl,
    tags,
    lastUsed: 0,
    writeId: [INSTANCE_ID, LONGEST_NUMBER],
  } as const;
  const payloadBytes = isEncrypted
    ? base64Size((typeof payload === "string" ? size : payload.length) + TAG_BYTES)
    : typeof payload === "string"
      ? quotedSize(payload, size, quoted)
      : base64Size(payload.length);
  const total = wireSize(messageFor(namespace, key, row, ORIGIN)) + payloadBytes;
  if (total > maxBytes) throw tooLarge(key, String(total), maxBytes);
}

/** The bytes of a text between the quotes of a JSON string. Escapes are ASCII, so they take a byte for each unit. */
function quotedSize(text: string, bytes: number, quoted = JSON.stringify(text)): number {
  return quoted.length - 2 + bytes - text.length;
}

function base64Size(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

function tooLarge(key: string, size: string, maxBytes: number): KeyStoreError {
  return new KeyStoreError(
    "PAYLOAD_TOO_LARGE",
    `The message would have ${size} bytes, and at most ${maxBytes} are allowed (maxPayloadBytes, or max_payload of the server). ` +
      "Store less under one key, or turn compression on.",
    { key },
  );
}
