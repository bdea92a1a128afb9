import { KeyStoreError } from "../util/errors.ts";
import { hexOf } from "../util/hex.ts";

/** Up to this size, our own SHA-256 is faster than WebCrypto for one payload in every engine, and about as fast for many at once. */
export const SMALL_BYTES = 1024;

/** Our own SHA-256 for small payloads, small-sha256.ts. The write side brings it along. */
export const smallHash: {
  loaded: ((bytes: Uint8Array) => string) | undefined;
  /** SMALL_BYTES. Infinity while the page ends: it may not live to receive a result of WebCrypto. */
  maxBytes: number;
} = { loaded: undefined, maxBytes: SMALL_BYTES };

/** SHA-256 as 64 hex digits. @throws KeyStoreError INSECURE_CONTEXT */
export function sha256(bytes: Uint8Array<ArrayBuffer>): string | Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw new KeyStoreError("INSECURE_CONTEXT", "Checksums need crypto.subtle. Serve the page over https or from localhost.");
  }
  if (smallHash.loaded !== undefined && bytes.length <= smallHash.maxBytes) return smallHash.loaded(bytes);
  return subtle.digest("SHA-256", bytes).then((digest) => hexOf(new Uint8Array(digest)));
}
