import type { RowEncryption, StoredPayload } from "../model/row.ts";
import { aboutKey, clip, KeyStoreError } from "../util/errors.ts";
import { bytesOf } from "../util/utf8.ts";
import { verifyChecksum } from "./checksum.ts";
import type { EncryptionSettings } from "./key-source.ts";
import { keyRingOf, RESERVED_NONCE } from "./key-ring.ts";
import type { Compressed } from "./pipeline-forward.ts";
import { sha256 } from "./sha256.ts";

export { endKeyWaits } from "./key-ring.ts";
export { pbkdf2Key } from "./pbkdf2.ts";

/** Encrypts the payloads of a store with its first key. */
export interface Encrypter {
  /** Messages carry the ciphertext. */
  readonly messages: boolean;
  encrypt(key: string, compressed: Compressed): Promise<Encrypted>;
}

export interface Encrypted {
  readonly stored: StoredPayload;
  /** The payload of the message, if that is in plain text. */
  readonly message?: StoredPayload;
}

/** What a ciphertext is bound to, besides its namespace and key. */
type Bound = Pick<StoredPayload, "format" | "encoding">;

/** @throws KeyStoreError when the store has no key: DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT */
export async function encrypterOf({ namespace, encryption }: Required<EncryptionSettings>): Promise<Encrypter> {
  const { messages = false } = encryption!;
  const { id: keyId, key: cryptoKey } = await keyRingOf(encryption!).first();
  return {
    messages,
    async encrypt(key, compressed) {
      const { format, original, payload, encoding, digest } = compressed;
      const bytes = bytesOf(payload);
      const originalBytes = encoding === undefined ? bytes : bytesOf(original);
      const common = { format, ...(encoding === undefined ? undefined : { encoding }), size: originalBytes.length };
      const nonce = freshNonce();
      const parameters = { name: "AES-GCM", iv: nonce, additionalData: additionalData(namespace, key, common, messages) };
      const ciphertext = new Uint8Array(await crypto.subtle.encrypt(parameters, cryptoKey, bytes));
      const stored = {
        ...common,
        payload: ciphertext,
        checksum: await sha256(ciphertext),
        encryption: { keyId, nonce: btoa(String.fromCharCode(...nonce)), messages },
      };
      return messages
        ? { stored }
        : { stored, message: { ...common, payload, checksum: await (digest?.checksum ?? sha256(originalBytes)) } };
    },
  };
}

/**
 * The payload of an encrypted row as it was before encryption, compressed or not. The row may hold anything.
 * @throws KeyStoreError CHECKSUM_MISMATCH, DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT
 */
export async function decrypt(key: string, row: StoredPayload, settings: EncryptionSettings): Promise<Uint8Array<ArrayBuffer>> {
  // Must verify the stored bytes before any other stage sees them.
  const { keyId } = await verifyEncrypted(key, row);
  try {
    return await decryptWith(await findKey(keyId, [settings]), settings.namespace, key, row);
  } catch (error) {
    throw aboutKey(key, error);
  }
}

/** Like `decrypt`, of a verified row, with the keys of all stores of a page. Undefined: none of them has loaded the key yet. */
export async function decryptIfLoaded(
  namespace: string,
  key: string,
  row: StoredPayload,
  stores: readonly EncryptionSettings[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const cryptoKey = loadedKey((row.encryption as RowEncryption).keyId, stores);
  return cryptoKey && decryptWith(cryptoKey, namespace, key, row);
}

/** The key with an id that one of the stores has. @throws KeyStoreError DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT */
export async function findKey(id: string, stores: readonly EncryptionSettings[]): Promise<CryptoKey> {
  const loaded = loadedKey(id, stores);
  if (loaded !== undefined) return loaded;
  const failures: unknown[] = [];
  const searches = ringsOf(stores).map(async (ring) => {
    const key = await ring.find(id).catch((error: unknown) => void failures.push(error));
    if (key === undefined) throw new Error("not this store");
    return key;
  });
  return Promise.any(searches).catch(() => {
    throw failures[0] ?? missingKey(id, searches.length > 0);
  });
}

/** Verifies the checksum of the ciphertext. The row may hold anything. @throws KeyStoreError CHECKSUM_MISMATCH, DECRYPT_FAILED */
export async function verifyEncrypted(key: string, { payload, checksum, encryption }: StoredPayload): Promise<RowEncryption> {
  await verifyChecksum(key, payload instanceof Uint8Array ? payload : undefined, checksum);
  const { keyId, nonce, messages } = Object(encryption) as Partial<Record<keyof RowEncryption, unknown>>;
  if (typeof keyId !== "string" || typeof nonce !== "string" || typeof messages !== "boolean") throw tampered(key);
  return { keyId, nonce, messages };
}

async function decryptWith(cryptoKey: CryptoKey, namespace: string, key: string, row: StoredPayload): Promise<Uint8Array<ArrayBuffer>> {
  const { nonce, messages } = row.encryption as RowEncryption;
  try {
    const iv = Uint8Array.from(atob(nonce), (character) => character.charCodeAt(0));
    const parameters = { name: "AES-GCM", iv, additionalData: additionalData(namespace, key, row, messages) };
    return new Uint8Array(await crypto.subtle.decrypt(parameters, cryptoKey, row.payload as Uint8Array<ArrayBuffer>));
  } catch (cause) {
    throw tampered(key, cause);
  }
}

/**
 * Binds a ciphertext to its entry: another namespace, key, format or encoding does not decrypt it. Unambiguous, since only the key, which is
 * last, may have a line feed. The second word keeps a stored payload from being published as a message of another kind.
 */
function additionalData(namespace: string, key: string, { format, encoding }: Bound, messages: boolean): Uint8Array<ArrayBuffer> {
  return bytesOf(["nas-keystore/v1", messages ? "message" : "entry", namespace, format, encoding ?? "", key].join("\n"));
}

/** 96 random bits. Must not be the nonce of key ids, which 1 of 2^96 is. */
function freshNonce(): Uint8Array<ArrayBuffer> {
  const nonce = crypto.getRandomValues(new Uint8Array(RESERVED_NONCE.length));
  return nonce.some(Boolean) ? nonce : freshNonce();
}

function loadedKey(id: string, stores: readonly EncryptionSettings[]): CryptoKey | undefined {
  for (const ring of ringsOf(stores)) {
    const key = ring.loaded(id);
    if (key !== undefined) return key;
  }
  return undefined;
}

function ringsOf(stores: readonly EncryptionSettings[]): ReturnType<typeof keyRingOf>[] {
  return stores.flatMap(({ encryption }) => (encryption === undefined ? [] : [keyRingOf(encryption)]));
}

function missingKey(id: string, hasKeys: boolean): KeyStoreError {
  const problem = hasKeys ? 'which is not in the option "encryption"' : 'and the store has no option "encryption"';
  const message = `The entry is encrypted with the key "${clip(id)}", ${problem}. The entry is kept: open the store with that key.`;
  return new KeyStoreError("DECRYPT_FAILED", message);
}

function tampered(key: string, cause?: unknown): KeyStoreError {
  const message = "The encrypted payload was changed, or moved from another entry. Store or delete the key.";
  const facts = { key, cause, isDamage: true };
  return new KeyStoreError("DECRYPT_FAILED", message, facts);
}
