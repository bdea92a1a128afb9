import { KeyStoreError } from "../util/errors.ts";
import { sha256 } from "./sha256.ts";

/** @param bytes undefined: the row has no valid payload. @throws KeyStoreError CHECKSUM_MISMATCH */
export async function verifyChecksum(key: string, bytes: Uint8Array<ArrayBuffer> | undefined, checksum: unknown): Promise<void> {
  if (bytes !== undefined && (await sha256(bytes)) === checksum) return;
  throw new KeyStoreError("CHECKSUM_MISMATCH", "The checksum of the stored payload does not match. Store or delete the key.", { key });
}
