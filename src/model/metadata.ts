/** How a value is turned into a payload; the names are the seed's. */
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

/** What a value is encoded to: text for `json`, `text` and `structured`, bytes for `binary`. */
export type Payload = string | Uint8Array<ArrayBuffer>;

/** Of one write, unique for ever: the store instance that made it and the how-many-th of its writes it is. */
export type WriteId = readonly [instanceId: string, n: number];

export interface KeyMetadata {
  readonly key: string;
  readonly format: KeyFormat;
  /** Bytes of the encoded payload, before compression. */
  readonly size: number;
  /** 1, 2, 3 … per key. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Seconds, or null: never expires. */
  readonly ttl: number | null;
  readonly expiresAt: Date | null;
  readonly tags: readonly string[];
  /** SHA-256 of the encoded payload, before compression: 64 hex digits. */
  readonly checksum: string;
  /** True until the server has confirmed this version, or the caller has discarded it as refused. */
  readonly pending: boolean;
  /** Readable, but due to be loaded anew. */
  readonly stale: boolean;
  readonly encrypted: boolean;
}
