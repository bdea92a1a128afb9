import { lazy } from "./lazy.ts";
import { bytesOf, sha256 } from "./checksum.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";
import type { EntryRow } from "../model/row.ts";

/** What an entry's row says of its payload: the payload as it is stored, and how to tell that it is whole. */
export type StoredPayload = Pick<EntryRow, "format" | "payload" | "encoding" | "storedChecksum" | "checksum" | "size">;

/** A payload as it will be stored, not measured and hashed yet. */
export interface Compressed extends Pick<EntryRow, "format" | "payload" | "encoding"> {
  readonly original: Payload;
}

/**
 * Compresses a payload above the threshold, if that makes it smaller. Never rejects.
 * @param thresholdBytes Infinity: never
 */
export async function compress(format: KeyFormat, original: Payload, thresholdBytes: number): Promise<Compressed> {
  const whole = { format, original, payload: original };
  if (thresholdBytes === Infinity) return whole;
  const bytes = bytesOf(original);
  if (bytes.length <= thresholdBytes) return whole;
  // Where the packer cannot be loaded, the payload is stored as it is.
  const packed = await lazy.compression().then(
    ({ gzip }) => gzip(bytes),
    () => bytes,
  );
  return packed.length < bytes.length ? { ...whole, payload: packed, encoding: "gzip" } : whole;
}

/** Measures and hashes a payload. @throws KeyStoreError INSECURE_CONTEXT */
export async function finishPayload({ format, original, payload, encoding }: Compressed): Promise<StoredPayload> {
  const bytes = bytesOf(original);
  const size = bytes.length;
  if (encoding === undefined) return { format, payload, checksum: await sha256(bytes), size };
  const [checksum, storedChecksum] = await Promise.all([sha256(bytes), sha256(bytesOf(payload))]);
  return { format, payload, encoding, storedChecksum, checksum, size };
}
