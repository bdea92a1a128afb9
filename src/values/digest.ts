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
