import { KeyStoreError } from "../errors.ts";
import type { Payload } from "./metadata.ts";

const utf8 = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A payload as the bytes that are counted, hashed and compressed. */
export function bytesOf(payload: Payload): Uint8Array<ArrayBuffer> {
  return typeof payload === "string" ? utf8.encode(payload) : payload;
}

/**
 * SHA-256 as 64 hex digits.
 * @throws KeyStoreError INSECURE_CONTEXT where the page has no WebCrypto
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw new KeyStoreError(
      "INSECURE_CONTEXT",
      "This page has no crypto.subtle, which checksums need: serve it over https or from localhost.",
    );
  }
  let hex = "";
  for (const byte of new Uint8Array(await subtle.digest("SHA-256", bytes))) hex += HEX[byte];
  return hex;
}
