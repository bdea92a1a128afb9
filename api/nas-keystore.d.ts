/**
 * The public contract of `nas-keystore`: every exported name, and its type.
 * `npm run types` fails when the package and this file differ (contract.ts). An issue that changes the public API changes this file
 * too, and writes the reason in CHANGELOG.md. Durations end in `Ms`, sizes in `Bytes`; `ttl` is in seconds (may be fractional).
 */

import type {
  Asked,
  AskedPattern,
  AskedKey,
  BulkItems,
  ComputedValue,
  EntryIn,
  ChangeIn,
  FoundValue,
  FoundValues,
  KeyIn,
  KeyOf,
  Pair,
  PatternOf,
  StorableValue,
  ValueOf,
} from "../src/interface/typed-keys.ts";
import type { StandardSchema } from "../src/model/standard-schema.ts"; // @standard-schema/spec 1.x

/** The keys of a schema, and the type of the value under a key. */
export type { KeyOf, ValueOf };

/** Field names follow the seed API (`KeyFormat.JSON` …); plain strings work too. */
export declare const KeyFormat: {
  readonly JSON: "json"; // default; anything that JSON.stringify keeps, checked
  readonly TEXT: "text"; // strings
  readonly BINARY: "binary"; // ArrayBuffer | ArrayBufferView | Blob in, Uint8Array out; base64 on the wire
  readonly STRUCTURED: "structured"; // Date, Map, Set, BigInt, RegExp, typed arrays, Error, cycles …; safe on untrusted input
};
export type KeyFormat = (typeof KeyFormat)[keyof typeof KeyFormat];

export interface KeyStoreOptions {
  servers?: string | readonly string[]; // WebSocket URLs; default "ws://localhost:9222"
  namespace?: string; // default "default"; one IndexedDB database and one subject tree each
  cacheSize?: number; // entries held in memory (LRU); default 100; 0 turns it off
  maxEntries?: number; // entries held in IndexedDB (LRU eviction); default: no limit
  maxBytes?: number; // payload bytes held in IndexedDB; default: no limit
  maxPayloadBytes?: number; // a larger message is refused before anything is written; default 1 MiB
  defaultTtl?: number; // seconds; default: entries never expire
  sweepIntervalMs?: number; // default 60_000; 0 turns background sweeps off (lazy expiry stays)
  lingerMs?: number; // how long an idle connection stays open; default 0: closed as soon as it is idle
  timeoutMs?: number; // connect and flush together; default 2_000
  compression?: boolean | { thresholdBytes: number }; // gzip (fflate) above 1 KiB when true; default false
  connection?: object; // credentials and the rest of nats.ws' ConnectionOptions, never logged or stored
  connect?: (options: object) => Promise<unknown>; // another NATS client's connect, e.g. wsconnect of @nats-io/nats-core
  encryption?: { key: CryptoKeySource | readonly CryptoKeySource[]; messages?: boolean }; // AES-GCM; the first key writes, all read
  schemas?: Readonly<Record<string, StandardSchema>>; // key pattern → validator, applied on store and on retrieve; the first pattern that matches
  migrate?: (value: unknown, metadata: KeyMetadata) => unknown; // a stored value that no longer fits its schema → one that does, or a promise of it
  durable?: boolean | DurableOptions; // JetStream acknowledgement; default false
  persist?: boolean; // ask for navigator.storage.persist() at the first write; default false
}

export interface DurableOptions {
  stream?: string; // default "NAS_<namespace>"
  replicas?: number; // of a stream that ensureStream creates; default 1
  history?: number; // messages that it keeps of each key; default 1
  pullEveryMs?: number; // while a tab is visible; default 0: never
}

export type CryptoKeySource = CryptoKey | (() => CryptoKey | Promise<CryptoKey>);

export interface StoreOptions {
  format?: KeyFormat; // default "json"
  ttl?: number | null; // seconds, > 0; null: never expires
  tags?: readonly string[];
  ifVersion?: number; // compare-and-set in this browser: 0 = the key must not exist; else the current version
  ifRevision?: number; // compare-and-set across browsers (durable mode): 0 = no message yet; else KeyMetadata.revision
  signal?: AbortSignal;
}
export interface BulkOptions extends StoreOptions {
  atomic?: boolean; // all items or none, in one transaction; in durable mode on the stream as well; default false
  onProgress?: (done: number, total: number) => void;
}
/** signal: aborted before the first slice, nothing has changed. */
export type ProgressOptions = Pick<BulkOptions, "signal" | "onProgress">;
export interface TransferOptions {
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
}
/** At least one of them; both: entries that match both. */
export interface InvalidateOptions<Pattern extends string = string> {
  pattern?: Pattern;
  tag?: string;
}
/** A pair may bring options of its own, which win over those of the call. */
export type BulkItem = readonly [
  key: string,
  value: unknown,
  options?: Pick<StoreOptions, "format" | "ttl" | "tags" | "ifVersion" | "ifRevision">,
];
export type DeleteOptions = Pick<StoreOptions, "ifVersion" | "ifRevision" | "signal">;
export interface RetrieveOrStoreOptions extends StoreOptions {
  staleWhileRevalidate?: number; // seconds for which an expired value is returned at once, while load runs in the background
}
export interface RetrieveOptions {
  useCache?: boolean; // false: past the memory front, from IndexedDB, checksum verified; default true
  pull?: "never" | "missing" | "always"; // durable mode: ask the stream for the key; local when it cannot be reached; default "never"
  signal?: AbortSignal;
}

export interface PullOptions<Pattern extends string = string> {
  pattern?: Pattern;
  full?: boolean; // true: reads the last message of every key again; else only the messages that are new since the last pull
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface KeyMetadata {
  readonly key: string;
  readonly format: KeyFormat;
  readonly size: number; // bytes of the encoded payload, before compression
  readonly version: number; // grows with every write of the key and never goes back, not even over a delete; 1 in a new database
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly ttl: number | null;
  readonly expiresAt: Date | null;
  readonly tags: readonly string[];
  readonly checksum: string; // SHA-256 of the encoded payload, 64 hex digits; of an encrypted entry: of the ciphertext
  readonly pending: boolean; // true while this version waits for the server's confirmation; false once confirmed or refused
  readonly rejected: boolean; // the server refused this version: see retryRejected, discardRejected
  readonly stale: boolean; // soft-invalidated: readable, but retrieveOrStore loads it again
  readonly encrypted: boolean;
  readonly revision?: number; // durable mode: the stream sequence of the message this came from
}

/** The memory front, synchronous. store, update, bulkStore and retrieve fill it; exists, getMetadata, listKeys neither fill nor count. */
export interface CacheStats {
  readonly size: number;
  readonly maxSize: number;
  readonly memoryUsage: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly keys: readonly string[];
}
/** IndexedDB, asynchronous. */
export interface StorageStats {
  readonly entries: number;
  readonly bytes: number;
  readonly pendingWrites: number;
  readonly rejectedWrites: number;
  readonly quotaBytes?: number; // navigator.storage.estimate()
  readonly usageBytes?: number;
}
export interface PendingWrite {
  key: string;
  operation: "store" | "delete";
  version: number;
  attempts: number;
  lastError?: string;
  rejected: boolean;
}

export type KeyStoreErrorCode =
  | "INVALID_KEY"
  | "INVALID_VALUE"
  | "INVALID_OPTION"
  | "SCHEMA_MISMATCH"
  | "PAYLOAD_TOO_LARGE"
  | "VERSION_CONFLICT"
  | "CHECKSUM_MISMATCH"
  | "DECODE_FAILED"
  | "DECRYPT_FAILED"
  | "QUOTA_EXCEEDED"
  | "STORAGE_UNAVAILABLE"
  | "INSECURE_CONTEXT"
  | "PUBLISH_REJECTED"
  | "STREAM_UNAVAILABLE"
  | "CLOSED";
export interface KeyStoreErrorDetails {
  key?: string | undefined;
  cause?: unknown;
  option?: string | undefined;
  issues?: readonly object[];
  results?: ReadonlyMap<string, boolean>;
}
export declare class KeyStoreError extends Error {
  constructor(code: KeyStoreErrorCode, message: string, details?: KeyStoreErrorDetails);
  override readonly name: "KeyStoreError";
  readonly code: KeyStoreErrorCode;
  readonly key?: string;
  readonly option?: string; // INVALID_OPTION: which one
  readonly issues?: readonly object[]; // SCHEMA_MISMATCH: what the validator found; absent where the validator itself failed
  readonly results?: ReadonlyMap<string, boolean>; // a bulk call that failed part-way: the keys committed before
}

/**
 * `Schema` maps keys or key patterns to value types: NASKeyStore<{ "user:${string}": User; theme: "dark" | "light" }>. The most specific
 * pattern wins. Without a type argument, keys are strings, and T is the type of the value.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export declare class NASKeyStore<Schema extends object = Record<string, any>> extends EventTarget {
  /** Publishes the queued writes of an earlier page without any call. Throws nothing outside a browser: operations then reject STORAGE_UNAVAILABLE. */
  constructor(options?: KeyStoreOptions);

  /** Events are CustomEvents whose `detail` is the KeyStoreEvents type of that name. */
  addEventListener<E extends keyof KeyStoreEvents>(
    type: E,
    listener: (event: CustomEvent<KeyStoreEvents[E]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<E extends keyof KeyStoreEvents>(
    type: E,
    listener: (event: CustomEvent<KeyStoreEvents[E]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;

  // The seed's operations
  store<Key extends KeyOf<Schema>>(key: Key, value: StorableValue<Schema, Key>, options?: StoreOptions): Promise<boolean>;
  retrieve<T extends Asked<Schema> = Asked<Schema>>(
    key: AskedKey<Schema, T>,
    options?: RetrieveOptions,
  ): Promise<FoundValue<Schema, T> | undefined>; // untyped: retrieve<T = unknown>(key: string): Promise<T | undefined>
  delete(key: KeyOf<Schema>, options?: DeleteOptions): Promise<boolean>; // whether the key existed
  retrieveOrStore<T extends Asked<Schema>>(
    key: AskedKey<Schema, T>,
    load: (key: AskedKey<Schema, T>, context: { signal: AbortSignal }) => FoundValue<Schema, T> | Promise<FoundValue<Schema, T>>,
    options?: RetrieveOrStoreOptions,
  ): Promise<FoundValue<Schema, T>>; // one load per key, across calls and tabs; untyped: T is the type of the value
  exists(key: KeyOf<Schema>): Promise<boolean>;
  /** Keeps format, ttl and tags unless given; creates when absent. A function gets the present value, and runs again when another write came between. */
  update<T extends Asked<Schema> = Asked<Schema>>(
    key: AskedKey<Schema, T>,
    compute: (present: FoundValue<Schema, T> | undefined) => ComputedValue<Schema, T>,
    options?: StoreOptions,
  ): Promise<boolean>;
  update<Key extends KeyOf<Schema>>(key: Key, value: StorableValue<Schema, Key>, options?: StoreOptions): Promise<boolean>;
  bulkStore<
    Key extends KeyOf<Schema> = never,
    Keys extends readonly KeyOf<Schema>[] = readonly never[],
    Item extends Pair<KeyOf<Schema>> = never,
  >(
    items: BulkItems<Schema, Key, Keys, Item>, // untyped: Record<string, unknown> | Iterable<BulkItem>
    options?: BulkOptions,
  ): Promise<Map<KeyOf<Schema>, boolean>>;
  bulkDelete(keys: Iterable<KeyOf<Schema>>, options?: ProgressOptions): Promise<Map<KeyOf<Schema>, boolean>>; // for each key whether it existed
  bulkRetrieve<T extends Asked<Schema> = Asked<Schema>>(
    keys: Iterable<AskedKey<Schema, T>>,
    options?: RetrieveOptions,
  ): Promise<FoundValues<Schema, T>>; // found keys only, in the order asked
  getMetadata(key: KeyOf<Schema>): Promise<KeyMetadata | undefined>;
  getCacheStats(): CacheStats;
  deleteByTag(tag: string, options?: ProgressOptions): Promise<number>;
  touch(key: KeyOf<Schema>, ttl?: number | null): Promise<boolean>; // restarts (or sets) the TTL; local, publishes nothing; false: no such key
  invalidate<Pattern extends string = string>(
    what: InvalidateOptions<PatternOf<Schema, Pattern>>,
    options?: ProgressOptions,
  ): Promise<number>; // marks stale, in every tab; the number marked
  clearCache(): Promise<void>; // drops every local entry but unconfirmed writes; publishes nothing; returns when done
  listKeys<Pattern extends string = string>(
    pattern?: PatternOf<Schema, Pattern>,
    options?: { tag?: string; after?: string; limit?: number },
  ): Promise<KeyIn<Schema, Pattern>[]>; // fnmatch: * ? [seq] [!seq]; sorted by code unit
  ping(): Promise<boolean>;

  // Beyond it
  /** Changes of the entries whose keys match the pattern, from this page and from every other tab. Uses no network. */
  watch<Pattern extends string>(
    pattern: PatternOf<Schema, Pattern>,
    listener: (change: ChangeIn<Schema, Pattern>) => void, // untyped: KeyStoreEvents["change"]
    options?: { signal?: AbortSignal },
  ): () => void;
  watch<Pattern extends string>(
    pattern: PatternOf<Schema, Pattern>,
    options?: { signal?: AbortSignal },
  ): AsyncIterable<ChangeIn<Schema, Pattern>>;
  peek<T extends Asked<Schema> = Asked<Schema>>(key: AskedKey<Schema, T>): FoundValue<Schema, T> | undefined; // memory only, synchronous, does not refresh the LRU
  /** In key order, bounded memory. */
  entries<T extends AskedPattern<Schema> = AskedPattern<Schema>>(
    pattern?: PatternOf<Schema, T>,
    options?: { tag?: string; signal?: AbortSignal },
  ): AsyncIterable<EntryIn<Schema, T>>; // untyped: entries<T = unknown>(pattern?: string): AsyncIterable<[key: string, value: T, metadata: KeyMetadata]>
  flush(options?: { signal?: AbortSignal }): Promise<{ published: number; pending: number; rejected: number }>;
  pendingWrites(): Promise<PendingWrite[]>; // one row per key: its newest unconfirmed or rejected version
  retryRejected(key?: KeyOf<Schema>): Promise<number>;
  discardRejected(key?: KeyOf<Schema>): Promise<number>;
  getStorageStats(): Promise<StorageStats>;
  sweep(): Promise<number>; // removes the expired entries now; resolves to their number
  export<Pattern extends string = string>(pattern?: PatternOf<Schema, Pattern>, options?: TransferOptions): AsyncIterable<object>; // envelopes, one per entry (newline-delimited JSON writes them)
  /** Publishes nothing; the higher version wins; malformed, damaged and older ones are skipped. */
  import(envelopes: Iterable<object> | AsyncIterable<object>, options?: TransferOptions): Promise<{ imported: number; skipped: number }>;
  // Durable mode
  ensureStream(): Promise<{ stream: string; created: boolean }>;
  pull<Pattern extends string = string>(
    options?: PullOptions<PatternOf<Schema, Pattern>>,
  ): Promise<{
    applied: number;
    deleted: number;
    skipped: number;
    rejected: number;
    revision: number;
  }>;

  close(): Promise<void>; // waits for the operations under way; later ones reject CLOSED
  [Symbol.asyncDispose](): Promise<void>;
}

/** Deletes a namespace's IndexedDB database, pending writes included. After a rejection because a tab holds it, the browser deletes it later. */
export declare function destroyNamespace(namespace: string): Promise<void>;

/** An AES-GCM key from a passphrase (PBKDF2-SHA-256); the same passphrase and salt give the same key. */
export declare function deriveKey(passphrase: string, salt: Uint8Array | string, options?: { iterations?: number }): Promise<CryptoKey>;

export interface KeyStoreEvents {
  change: {
    key: string; // of a `clear`: the pattern of the watch, or "*"
    type: "store" | "delete" | "expire" | "evict" | "invalidate" | "clear";
    source: "local" | "tab" | "remote"; // remote: pull or import
    version?: number;
  };
  published: { key: string; version: number; operation: "store" | "delete" };
  rejected: { key: string; version: number; error: KeyStoreError };
  offline: { error: Error; pending: number };
  online: { pending: number };
  corrupt: { key: string; error: KeyStoreError };
  conflict: { key: string; lost: unknown; metadata: KeyMetadata }; // durable mode: a local write that the stream's order overruled
  reset: { reason: string }; // the database was cleared or deleted under the running page
}
