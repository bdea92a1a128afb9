import { writeSidePart } from "./runtime.ts";

/**
 * A key for the option `encryption` from a passphrase: PBKDF2 with SHA-256, an AES-GCM key of 256 bits that cannot be exported. The same
 * passphrase, salt and iterations give the same key.
 * @param passphrase encoded as UTF-8, not normalized
 * @param salt is not secret. Take 16 random bytes for each user, and keep them
 * @param options.iterations default 600,000: about half a second of work
 * @throws KeyStoreError INVALID_OPTION, whose `option` is "passphrase", "salt" or "iterations"; INSECURE_CONTEXT; STORAGE_UNAVAILABLE
 */
export async function deriveKey(passphrase: string, salt: Uint8Array | string, options?: { iterations?: number }): Promise<CryptoKey> {
  // The caller may change it while the part loads.
  const copy = (salt as string | undefined)?.slice?.();
  return (await writeSidePart.load()).deriveKey(passphrase, copy, options);
}
