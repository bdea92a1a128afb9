import { KeyStoreError } from "../util/errors.ts";
import { sha256 } from "./sha256.ts";

/** The size and the checksum of a payload before compression, as the metadata shows them. */
export interface Digest {
  readonly size: number;
  readonly checksum: string | Promise<string>;
}

/** @throws KeyStoreError INSECURE_CONTEXT */
export function digestOf(bytes: Uint8Array<ArrayBuffer>): Digest {
  return { size: bytes.length, checksum: sha256(bytes) };
}

/** @param bytes undefined: the row has no valid payload. @throws KeyStoreError CHECKSUM_MISMATCH */
export async function verifyChecksum(key: string, bytes: Uint8Array<ArrayBuffer> | undefined, checksum: unknown): Promise<void> {
  if (bytes !== undefined && (await sha256(bytes)) === checksum) return;
  throw new KeyStoreError("CHECKSUM_MISMATCH", "The checksum of the stored payload does not match. Store or delete the key.", { key });
}
