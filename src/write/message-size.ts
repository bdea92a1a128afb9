import { messageFor, wireSize } from "../model/envelope.ts";
import type { EntryRow } from "../model/row.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { Compressed } from "../values/pipeline-forward.ts";

/** A message without its payload, key and tags has fewer bytes than this. */
const ENVELOPE_BYTES = 2048;
/** JSON turns a UTF-16 unit into at most six bytes. */
const MAX_BYTES_PER_UNIT = 6;

/** Placeholders of the maximum length. */
const CHECKSUM = "0".repeat(64);
const INSTANCE_ID = "0".repeat(32);
const LONGEST_NUMBER = Number.MAX_SAFE_INTEGER;

/**
 * Measures the message of a write as it may become, with the longest numbers. Measures exactly only what may be too large.
 * @throws KeyStoreError PAYLOAD_TOO_LARGE
 */
export function checkMessageSize(
  namespace: string,
  key: string,
  { format, original, payload, encoding, digest }: Compressed,
  { ttl, tags }: Pick<EntryRow, "ttl"> & { readonly tags: readonly string[] },
  maxBytes: number,
): void {
  const units = payload.length + 2 * key.length + tags.reduce((sum, tag) => sum + tag.length + 1, 0);
  if (units * MAX_BYTES_PER_UNIT + ENVELOPE_BYTES <= maxBytes) return;
  const row = {
    format,
    payload,
    ...(encoding === undefined ? undefined : { encoding }),
    checksum: CHECKSUM,
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    size: digest?.size ?? 3 * original.length,
    version: LONGEST_NUMBER,
    createdAt: 0,
    updatedAt: 0,
    ttl,
    tags,
    lastUsed: 0,
    writeId: [INSTANCE_ID, LONGEST_NUMBER],
  } as const;
  const size = wireSize(messageFor(namespace, key, row, INSTANCE_ID));
  if (size <= maxBytes) return;
  throw new KeyStoreError(
    "PAYLOAD_TOO_LARGE",
    `The message would have ${size} bytes, and at most ${maxBytes} are allowed (maxPayloadBytes, or max_payload of the server). ` +
      "Store less under one key, or turn compression on.",
    { key },
  );
}
