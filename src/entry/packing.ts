import { KeyStoreError } from "../errors.ts";
import { bytesOf, sha256 } from "./checksum.ts";
import { gunzip, gzip } from "./compression.ts";
import { KeyFormat, type Payload } from "./metadata.ts";
import type { EntryRow } from "./row.ts";

/** What an entry's row says of its payload: the payload as it is stored, and how to tell that it is whole. */
export type Packed = Pick<EntryRow, "format" | "payload" | "encoding" | "packedChecksum" | "checksum" | "size">;

/** A decoder would drop a byte order mark that the text begins with. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A payload as it will be stored, not measured and hashed yet. */
export interface Compressed extends Pick<EntryRow, "format" | "payload" | "encoding"> {
  readonly original: Payload;
}

/**
 * Compresses a payload above the threshold, if that makes it smaller.
 * @param thresholdBytes Infinity: never
 */
export async function compress(format: KeyFormat, original: Payload, thresholdBytes: number): Promise<Compressed> {
  const whole = { format, original, payload: original };
  if (thresholdBytes === Infinity) return whole;
  const bytes = bytesOf(original);
  if (bytes.length <= thresholdBytes) return whole;
  // Where the packer cannot be loaded, the payload is stored as it is.
  const packed = await gzip(bytes).catch(() => bytes);
  return packed.length < bytes.length ? { ...whole, payload: packed, encoding: "gzip" } : whole;
}

/** Measures and hashes a payload. */
export async function seal({ format, original, payload, encoding }: Compressed): Promise<Packed> {
  const bytes = bytesOf(original);
  const size = bytes.length;
  if (encoding === undefined) return { format, payload, checksum: await sha256(bytes), size };
  const [checksum, packedChecksum] = await Promise.all([sha256(bytes), sha256(bytesOf(payload))]);
  return { format, payload, encoding, packedChecksum, checksum, size };
}

/**
 * The payload of a row that may be damaged, checked before anything is made of it.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED
 */
export async function unpack(key: string, row: EntryRow): Promise<Payload> {
  const { payload, encoding, size } = row;
  if (typeof payload !== "string" && !(payload instanceof Uint8Array)) throw damaged(key);
  if (encoding === undefined) {
    const bytes = bytesOf(payload);
    if (bytes.length !== size || (await sha256(bytes)) !== row.checksum) throw damaged(key);
    return payload;
  }

  if (typeof payload === "string" || (await sha256(payload)) !== row.packedChecksum) throw damaged(key);
  const bytes = await gunzip(payload, size).catch((cause: unknown) => {
    if (cause instanceof KeyStoreError) throw cause;
    throw new KeyStoreError("DECODE_FAILED", "The stored payload cannot be unpacked: store the key anew.", { key, cause });
  });
  if ((await sha256(bytes)) !== row.checksum) throw damaged(key);
  return row.format === KeyFormat.BINARY ? bytes : utf8.decode(bytes);
}

function damaged(key: string): KeyStoreError {
  return new KeyStoreError(
    "CHECKSUM_MISMATCH",
    "What is stored under this key is damaged: its checksum does not match. Store it anew or delete it.",
    { key },
  );
}
