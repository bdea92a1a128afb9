/** An AES-GCM key for encryption and decryption, or a function that returns one, now or later. */
export type CryptoKeySource = CryptoKey | (() => CryptoKey | Promise<CryptoKey>);

export interface EncryptionOptions {
  /**
   * The first key encrypts, all of them decrypt. A function is called when its key is first needed, and again after it has failed.
   */
  key: CryptoKeySource | readonly CryptoKeySource[];
  /**
   * Publishes what is encrypted as ciphertext. Otherwise messages carry the value in plain text.
   * @default false
   */
  messages?: boolean;
}

/** The options of a store that encryption depends on. */
export interface EncryptionSettings {
  readonly namespace: string;
  /** The keys of the store belong to this object: it must be the same one for every call. */
  readonly encryption?: EncryptionOptions | undefined;
}

/** Whether a value is a key source or a list of them. WebCrypto finds out later what a function returns. */
export function areKeys(value: unknown): boolean {
  const sources = [value].flat();
  return sources.length > 0 && sources.every((source) => typeof source === "function" || isUsableKey(source));
}

/** Whether a value looks like a key for AES-GCM, both ways (engines differ in the order of usages). WebCrypto finds out the rest. */
export function isUsableKey(value: unknown): value is CryptoKey {
  const { algorithm, usages } = Object(value) as Partial<CryptoKey>;
  return algorithm?.name === "AES-GCM" && /^(?=.*encrypt).*decrypt/.test(String(usages));
}
