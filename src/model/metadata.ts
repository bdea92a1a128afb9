/** How a value is encoded. The names are those of the Python original. */
export const KeyFormat = {
  /** Anything that `JSON.stringify` keeps, checked. The default. */
  JSON: "json",
  /** Well-formed strings. */
  TEXT: "text",
  /** ArrayBuffer, any view on one, or Blob in; Uint8Array out. */
  BINARY: "binary",
  /** Date, Map, Set, BigInt, RegExp, typed arrays, Error, cycles …; safe on untrusted input. */
  STRUCTURED: "structured",
} as const;
export type KeyFormat = (typeof KeyFormat)[keyof typeof KeyFormat];

export const FORMATS: readonly unknown[] = Object.values(KeyFormat);

/** An encoded value: text for `json`, `text` and `structured`, bytes for `binary`. */
export type Payload = string | Uint8Array<ArrayBuffer>;

/** Instance id plus sequence number. Never repeats. */
export type WriteId = readonly [instanceId: string, sequence: number];

export interface KeyMetadata {
  readonly key: string;
  readonly format: KeyFormat;
  /** Bytes of the encoded payload, before compression. */
  readonly size: number;
  /** Grows by 1 with every write of the key, and never goes back. The first version in a new database is 1; a removed key continues higher. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Seconds. null: the entry never expires. */
  readonly ttl: number | null;
  readonly expiresAt: Date | null;
  readonly tags: readonly string[];
  /** SHA-256 of the payload before compression, as 64 hex digits. Of an encrypted entry: of the ciphertext. */
  readonly checksum: string;
  /** This version waits for the server's confirmation. */
  readonly pending: boolean;
  /** The server has refused this version: see `retryRejected`, `discardRejected`. */
  readonly rejected: boolean;
  /** Soft-invalidated by `invalidate`: the entry can be read, but `retrieveOrStore` loads it again. A write of the key ends it. */
  readonly stale: boolean;
  /** The stored payload is encrypted: see the option `encryption`. */
  readonly encrypted: boolean;
  /** Durable mode: the stream sequence of the message that this entry came from, or that the stream has acknowledged for it. */
  readonly revision?: number;
}
