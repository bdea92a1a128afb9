import { KeyStoreError } from "../util/errors.ts";
import { hexOf } from "../util/hex.ts";
import { bytesOf } from "../util/utf8.ts";
import { isUsableKey, type CryptoKeySource, type EncryptionOptions } from "./key-source.ts";
import { assertWebCrypto } from "./web-crypto.ts";

export interface NamedKey {
  readonly id: string;
  readonly key: CryptoKey;
}

/** No payload is encrypted under this nonce: it belongs to key ids. */
export const RESERVED_NONCE = new Uint8Array(12);

const KEY_ID_LABEL = bytesOf("nas-keystore/v1 key id");
const KEY_ID_BYTES = 8;

const rings = new WeakMap<EncryptionOptions, KeyRing>();

/** The keys of a store, which belong to its options. */
export function keyRingOf(options: EncryptionOptions): KeyRing {
  const ring = rings.get(options) ?? new KeyRing(options.key);
  rings.set(options, ring);
  return ring;
}

/** Functions of a store that have not returned their keys need no longer do so: the calls that wait for them reject CLOSED. */
export function endKeyWaits(options: EncryptionOptions): void {
  const message = "The store was closed, and the function that returns the encryption key has not answered.";
  keyRingOf(options).end(new KeyStoreError("CLOSED", message));
}

/** The keys of a store: the first one encrypts, all of them decrypt. A key is loaded when it is first needed. */
export class KeyRing {
  readonly #sources: readonly KeySource[];
  /** Ends the waits for keys, also later ones. */
  end!: (reason: KeyStoreError) => void;

  constructor(keys: EncryptionOptions["key"]) {
    const ended = new Promise<never>((_, reject) => (this.end = reject));
    this.#sources = [keys].flat().map((source) => new KeySource(source, ended));
  }

  /** The key that encrypts. @throws KeyStoreError DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT */
  first(): Promise<NamedKey> {
    return (this.#sources[0] as KeySource).load();
  }

  /** The key with an id, if it has been loaded. */
  loaded(id: string): CryptoKey | undefined {
    return this.#sources.find(({ loaded }) => loaded?.id === id)?.loaded?.key;
  }

  /** The key with an id. Loads the keys one after another until one has it. @throws KeyStoreError when it may be one that failed to load */
  async find(id: string): Promise<CryptoKey | undefined> {
    let failure: unknown;
    for (const source of this.#sources) {
      try {
        const named = await source.load();
        if (named.id === id) return named.key;
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }
}

class KeySource {
  loaded: NamedKey | undefined;
  readonly #source: CryptoKeySource;
  readonly #ended: Promise<never>;
  #loading: Promise<NamedKey> | undefined;

  constructor(source: CryptoKeySource, ended: Promise<never>) {
    this.#source = source;
    this.#ended = ended;
    // Nobody may be waiting.
    ended.catch(() => undefined);
  }

  /** Calls a function once, and again after it has failed. */
  load(): Promise<NamedKey> {
    this.#loading ??= Promise.race([this.#load(), this.#ended]).catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(): Promise<NamedKey> {
    assertWebCrypto("Encryption");
    const key = await this.#read();
    if (!isUsableKey(key)) throw unusable();
    this.loaded = { id: await keyIdOf(key), key };
    return this.loaded;
  }

  async #read(): Promise<unknown> {
    try {
      return typeof this.#source === "function" ? await this.#source() : this.#source;
    } catch (cause) {
      // Its message may hold a secret, and this one is written into the outbox.
      const message =
        'The function of the option "encryption" that returns the key has failed: see "cause". The next operation calls it again.';
      throw new KeyStoreError("DECRYPT_FAILED", message, { cause });
    }
  }
}

/**
 * Names a key, also one that cannot be exported, and reveals nothing about it: the first 8 bytes of the SHA-256 of the AES-GCM tag of
 * an empty plaintext under the reserved nonce.
 */
async function keyIdOf(key: CryptoKey): Promise<string> {
  try {
    const parameters = { name: "AES-GCM", iv: RESERVED_NONCE, additionalData: KEY_ID_LABEL };
    const tag = await crypto.subtle.encrypt(parameters, key, new Uint8Array(0));
    return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", tag), 0, KEY_ID_BYTES));
  } catch (cause) {
    throw unusable(cause);
  }
}

function unusable(cause?: unknown): KeyStoreError {
  const message =
    'The option "encryption" must have, or its function return, an AES-GCM CryptoKey with the usages "encrypt" and "decrypt".';
  return new KeyStoreError("INVALID_OPTION", message, { option: "encryption", cause });
}
