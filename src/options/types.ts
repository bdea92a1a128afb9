import type { KeyFormat, KeyMetadata } from "../model/metadata.ts";
import type { StandardSchema } from "../model/standard-schema.ts";
import type { EncryptionOptions } from "../values/key-source.ts";

export interface KeyStoreOptions {
  /**
   * WebSocket URLs of NATS servers. A list is tried one server after another, within `timeoutMs`: the server that answered last first. Its
   * order is random at the start, unless `connection` has `noRandomize`.
   * @default "ws://localhost:9222"
   */
  servers?: string | readonly string[];
  /**
   * Each namespace is one IndexedDB database and one subject tree.
   * @default "default"
   */
  namespace?: string;
  /**
   * Entries held in memory (LRU). 0 turns the memory cache off.
   * @default 100
   */
  cacheSize?: number;
  /**
   * Entries held in IndexedDB. The least recently used ones above the limit are evicted.
   * @default no limit
   */
  maxEntries?: number;
  /**
   * Payload bytes held in IndexedDB, counted before compression. The least recently used entries above the limit are evicted.
   * @default no limit
   */
  maxBytes?: number;
  /**
   * A larger message is refused before anything is written.
   * @default 1_048_576
   */
  maxPayloadBytes?: number;
  /**
   * Seconds until an entry without a `ttl` of its own expires.
   * @default never
   */
  defaultTtl?: number;
  /**
   * Time between background sweeps, which remove expired entries. 0 turns them off. Reads never return expired entries.
   * @default 60_000
   */
  sweepIntervalMs?: number;
  /**
   * Time for which an idle connection stays open. 0 closes it as soon as it is idle.
   * @default 0
   */
  lingerMs?: number;
  /**
   * Time limit for connecting and flushing together. Afterwards the write is queued and resolves `false`.
   * @default 2_000
   */
  timeoutMs?: number;
  /**
   * Gzips payloads above 1 KiB, or above the given threshold, if that makes them smaller.
   * @default false
   */
  compression?: boolean | { thresholdBytes: number };
  /** Credentials and other ConnectionOptions of nats.ws. Never logged or stored. */
  connection?: object;
  /**
   * The `connect` of another NATS client, such as `wsconnect` of `@nats-io/nats-core`. Called with one server at a time.
   * @default connect of nats.ws
   */
  connect?: (options: object) => Promise<unknown>;
  /**
   * Encrypts the payloads of this store's entries in IndexedDB with AES-GCM. Keys, tags, sizes and times stay readable.
   * @default no encryption
   */
  encryption?: EncryptionOptions;
  /**
   * Key pattern (as of `listKeys`) → a schema of any library of Standard Schema, such as zod, valibot or arktype. The first pattern that
   * matches a key applies. Values are checked when they are stored and when they are read. What the schema returns is stored or returned: it
   * must accept that as well.
   * @default no checks
   */
  schemas?: Readonly<Record<string, StandardSchema>>;
  /**
   * Makes a stored value that no longer fits its schema into one that does, or a promise of it. It is returned, and stored once.
   * It must not read its own key.
   * @default such a value rejects SCHEMA_MISMATCH
   */
  migrate?: (value: unknown, metadata: KeyMetadata) => unknown;
  /**
   * Durable mode: a JetStream stream keeps the last message of each key. `store` resolves true once the stream has acknowledged the write, and
   * `pull` reads what other browsers have written. The stream must exist: see `ensureStream`. An object sets the stream; `true` takes its defaults.
   * @default false
   */
  durable?: boolean | DurableOptions;
  /**
   * Asks the browser at the first write to keep the storage of the site (`navigator.storage.persist()`).
   * @default false
   */
  persist?: boolean;
}

export interface DurableOptions {
  /**
   * The name of the stream.
   * @default "NAS_<namespace>"; if there is none, the stream that has the namespace's subjects
   */
  stream?: string;
  /**
   * For `ensureStream`: how many servers of a cluster keep each message.
   * @default 1
   */
  replicas?: number;
  /**
   * For `ensureStream`: how many messages of each key the stream keeps.
   * @default 1
   */
  history?: number;
  /**
   * Milliseconds between pulls in the background, while a tab is visible. 0: none.
   * @default 0
   */
  pullEveryMs?: number;
}

export interface StoreOptions {
  /** @default "json" */
  format?: KeyFormat;
  /**
   * Seconds, possibly fractional. null: the entry never expires.
   * @default the store's `defaultTtl`
   */
  ttl?: number | null;
  /** @default [] */
  tags?: readonly string[];
  /**
   * Compare-and-set in this browser: the current version of the key. 0: the key must not exist. A version from before a delete never matches again.
   * In durable mode an entry that was pulled has the version of its writer: use `ifRevision` where other browsers write the key.
   */
  ifVersion?: number;
  /**
   * Durable mode: compare-and-set across browsers, with the revision in the metadata of the key. 0: the stream must have no message of the key;
   * that of a delete is one. The write is not queued: it is committed once the stream has acknowledged it. `ifVersion` beside it is compared
   * first, in this browser.
   */
  ifRevision?: number;
  signal?: AbortSignal;
}

/** Those of `store` apply to what is loaded. `ifVersion` is compared when it is stored, not when a present value is returned. */
export interface RetrieveOrStoreOptions extends StoreOptions {
  /**
   * Seconds for which an expired value may still be returned, while `load` runs in the background. Give every call of a key the same: the
   * call that stores the value decides how long it is kept.
   * @default none: an expired value is loaded again before the call resolves
   */
  staleWhileRevalidate?: number;
}

export interface BulkOptions extends StoreOptions {
  /**
   * All items or none, in one transaction: a failure changes nothing. Until it ends, other writes wait, so a large call may exceed the
   * 50 ms for which other bulk calls block them. It must end within about 20 s, or it fails. In durable mode, at most 1,000 items, and the
   * stream takes all of them or none: nats-server 2.12 or newer, and the setting `allow_atomic` of the stream.
   * @default false
   */
  atomic?: boolean;
  /** Called with the number of committed entries after each slice of a large call. */
  onProgress?: (done: number, total: number) => void;
}

export type ProgressOptions = Pick<BulkOptions, "signal" | "onProgress">;

/** At least one of them. Both: the entries that match the pattern and have the tag. */
export interface InvalidateOptions<Pattern extends string = string> {
  /** A pattern of keys, as for `listKeys`. */
  pattern?: Pattern;
  tag?: string;
}

/** An item of a bulk call. Its own options win over those of the call. */
export type BulkItem = readonly [key: string, value: unknown, options?: BulkItemOptions];

export type BulkItemOptions = Pick<StoreOptions, "format" | "ttl" | "tags" | "ifVersion" | "ifRevision">;

export type DeleteOptions = Pick<StoreOptions, "ifVersion" | "ifRevision" | "signal">;

export type FlushOptions = Pick<StoreOptions, "signal">;

export interface WatchOptions {
  /** Ends the watch. */
  signal?: AbortSignal;
}

export interface ListOptions {
  /** Only keys of entries with this tag. */
  tag?: string;
  /** Only keys that follow this one: the last key of the page before. */
  after?: string;
  /**
   * The most keys to list. Reads no more than it needs for them.
   * @default no limit
   */
  limit?: number;
}

export interface EntriesOptions {
  /** Only entries with this tag. */
  tag?: string;
  signal?: AbortSignal;
}

export interface TransferOptions {
  /** Called with the number of envelopes that are done, again and again. How many there are is not known. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
}

export interface RetrieveOptions {
  /**
   * False: reads from IndexedDB, not from memory, and verifies the checksum.
   * @default true
   */
  useCache?: boolean;
  /**
   * Durable mode: asks the stream for the key, always or where it is absent here. What cannot be asked for is read from this browser.
   * @default "never"
   */
  pull?: "never" | "missing" | "always";
  signal?: AbortSignal;
}

export interface PullOptions<Pattern extends string = string> {
  /**
   * A pattern of keys, as for `listKeys`.
   * @default "*"
   */
  pattern?: Pattern;
  /** True: reads the last message of every key again, and repairs damaged entries. Otherwise only the messages that are new since the last pull. */
  full?: boolean;
  /** Called with the number of messages that are done, and of all that are to come. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}
