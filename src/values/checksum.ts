import { KeyStoreError } from "../util/errors.ts";
import { hexOf } from "../util/hex.ts";
import type { Payload } from "../model/metadata.ts";

const utf8 = new TextEncoder();

/** Up to this size, `small` is faster in every engine for a lone payload, and about as fast for many at once. */
const MAX_SMALL_BYTES = 1024;

/** A faster SHA-256 for small payloads: see small-sha256.ts. It loads with the write side. */
let small: ((bytes: Uint8Array) => string) | undefined;

export function setSmallSha256(hash: typeof small): void {
  small = hash;
}

/** A payload as the bytes that are counted, hashed and compressed. */
export function bytesOf(payload: Payload): Uint8Array<ArrayBuffer> {
  return typeof payload === "string" ? utf8.encode(payload) : payload;
}

/**
 * SHA-256 as 64 hex digits.
 * @throws KeyStoreError INSECURE_CONTEXT where the page has no WebCrypto
 */
export function sha256(bytes: Uint8Array<ArrayBuffer>): string | Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw new KeyStoreError(
      "INSECURE_CONTEXT",
      "This page has no crypto.subtle, which checksums need: serve it over https or from localhost.",
    );
  }
  if (small !== undefined && bytes.length <= MAX_SMALL_BYTES) return small(bytes);
  return subtle.digest("SHA-256", bytes).then((digest) => hexOf(new Uint8Array(digest)));
}
