import type { KeyMetadata } from "../model/metadata.ts";
import type { BulkOptions, DeleteOptions, ListOptions, ProgressOptions, RetrieveOptions, StoreOptions } from "../options/types.ts";
import type { CacheStats } from "../read/memory-cache.ts";
import type {
  Asked,
  AskedKey,
  BulkItems,
  ComputedValue,
  FoundValue,
  FoundValues,
  KeyIn,
  KeyOf,
  Pair,
  PatternOf,
  StorableValue,
} from "./typed-keys.ts";

/** The operations of the Python original, and `bulkDelete`. */
export interface BasicOperations<Schema extends object> {
  /**
   * Stores a value under a key, and publishes it.
   * @param options.ifRevision durable mode: compares and sets on the stream. The write is committed here once the stream has acknowledged it, and is
   * never queued: true, or an error with which the entry stays as it was. VERSION_CONFLICT: the stream has another revision of the key. Read the key
   * with `pull: "always"`, or pull, then retry. STREAM_UNAVAILABLE: no acknowledgement came, or the key has an unconfirmed write. PUBLISH_REJECTED:
   * the server refused the message. After STREAM_UNAVAILABLE, the abort of a signal and QUOTA_EXCEEDED the stream may have the write: the next
   * `pull` brings it
   * @returns true: committed here, and read by the server; in durable mode, stored by the stream. false: committed here and queued; published
   * once the server or the stream answers, also after a reload
   * @throws KeyStoreError PUBLISH_REJECTED: committed here, refused by the server. With any other code nothing has changed:
   * INVALID_KEY, INVALID_VALUE, INVALID_OPTION, SCHEMA_MISMATCH, PAYLOAD_TOO_LARGE, VERSION_CONFLICT, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE,
   * INSECURE_CONTEXT, DECRYPT_FAILED (the function of the option `encryption` that returns the key has failed), CLOSED
   */
  store<Key extends KeyOf<Schema>>(key: Key, value: StorableValue<Schema, Key>, options?: StoreOptions): Promise<boolean>;

  /**
   * The value under a key, a fresh copy at each call; undefined when the key is absent or has expired. Uses the network only with `pull`: then it
   * stores what the stream has, and returns the value of this browser where the stream does not answer within `timeoutMs`.
   * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED (the store does not have the key of an encrypted entry: the entry
   * is kept), SCHEMA_MISMATCH, STORAGE_UNAVAILABLE, INVALID_KEY, INVALID_OPTION, CLOSED; with `pull` also QUOTA_EXCEEDED
   */
  retrieve<T extends Asked<Schema> = Asked<Schema>>(
    key: AskedKey<Schema, T>,
    options?: RetrieveOptions,
  ): Promise<FoundValue<Schema, T> | undefined>;

  /**
   * Deletes a key, and publishes that, also for an absent key: the network may have it.
   * @returns whether the key existed; in durable mode true only once the stream has acknowledged the delete. `pendingWrites()` shows whether the
   * delete is confirmed
   * @throws KeyStoreError as `store` does
   */
  delete(key: KeyOf<Schema>, options?: DeleteOptions): Promise<boolean>;

  /** Whether there is an entry under the key that has not expired. */
  exists(key: KeyOf<Schema>): Promise<boolean>;

  /**
   * Stores the value that a function computes from the present one, with the key's format, ttl (which starts again) and tags, unless they
   * are given. Creates an absent key. The function runs again when another write, of any tab, came between. While its promise is
   * under way, other calls may read and write the key. The function may read its key, but must not write it. An error of the function rejects
   * the call, and nothing has changed.
   * @param compute gets a copy of the present value; undefined when the key is absent or has expired
   * @param options.ifVersion the function runs once, and for this version of the present value only
   * @param options.ifRevision as for `store`. The function runs once, and the present value must have this revision here too: otherwise
   * VERSION_CONFLICT
   * @returns as `store` does
   * @throws KeyStoreError as `store` does; CHECKSUM_MISMATCH, DECODE_FAILED: the present value is damaged
   */
  update<T extends Asked<Schema> = Asked<Schema>>(
    key: AskedKey<Schema, T>,
    compute: (present: FoundValue<Schema, T> | undefined) => ComputedValue<Schema, T>,
    options?: StoreOptions,
  ): Promise<boolean>;

  /**
   * Stores a new value with the key's format, ttl (which starts again) and tags, unless they are given. Creates an absent key.
   * @param options.ifRevision as for `store`. The present entry must have this revision here too: otherwise VERSION_CONFLICT
   * @returns as `store` does
   * @throws KeyStoreError as `store` does
   */
  update<Key extends KeyOf<Schema>>(key: Key, value: StorableValue<Schema, Key>, options?: StoreOptions): Promise<boolean>;

  /**
   * Stores many values. Options of an item win over those of the call. One invalid item rejects the call before anything is written. A key
   * given twice is written once, as its last item says.
   * @param items an object, or pairs [key, value], each with options of its own if it needs them: [key, value, options]
   * @param options.atomic all items or none: a failure, such as VERSION_CONFLICT of one item, changes nothing. In durable mode it is one batch of at
   * most 1,000 messages on the stream, too, published before it is committed as with `ifRevision`: STREAM_UNAVAILABLE where the server is older
   * than 2.12, or the stream lacks the setting `allow_atomic`; PAYLOAD_TOO_LARGE for more items. With `ifRevision` of its items it is a transaction
   * over several keys
   * @param options.ifRevision of the call or of an item, as for `store`. Without `atomic`, each item is on its own: those that win are committed, and the
   * call rejects with the first error
   * @returns for each key: true, or false when the write is queued or the server has refused it
   * @throws KeyStoreError as `store` does. Its `results` has the keys that were committed before a failure part-way
   */
  bulkStore<
    Key extends KeyOf<Schema> = never,
    Keys extends readonly KeyOf<Schema>[] = readonly never[],
    Item extends Pair<KeyOf<Schema>> = never,
  >(
    items: BulkItems<Schema, Key, Keys, Item>,
    options?: BulkOptions,
  ): Promise<Map<KeyOf<Schema>, boolean>>;

  /**
   * Deletes many keys, and publishes each delete, also of absent keys. In slices that block others for less than 50 ms.
   * @returns for each key whether it existed, as `delete` does. `pendingWrites()` shows whether the deletes are confirmed
   * @throws KeyStoreError as `store` does, except PUBLISH_REJECTED. Its `results` has the keys that were deleted before a failure part-way
   */
  bulkDelete(keys: Iterable<KeyOf<Schema>>, options?: ProgressOptions): Promise<Map<KeyOf<Schema>, boolean>>;

  /**
   * The values under many keys: those found, in the order of the keys. Damaged entries are left out, with a `corrupt` event each. With `pull` as
   * `retrieve` does; several keys may be answered by a server of a cluster that lacks the last moments.
   * @throws KeyStoreError DECRYPT_FAILED for an entry whose encryption key the store does not have; SCHEMA_MISMATCH, STORAGE_UNAVAILABLE, INVALID_KEY,
   * INVALID_OPTION, CLOSED
   */
  bulkRetrieve<T extends Asked<Schema> = Asked<Schema>>(
    keys: Iterable<AskedKey<Schema, T>>,
    options?: RetrieveOptions,
  ): Promise<FoundValues<Schema, T>>;

  /** The metadata of a key; undefined when the key is absent or has expired. */
  getMetadata(key: KeyOf<Schema>): Promise<KeyMetadata | undefined>;

  /** Figures of the memory cache, at once. */
  getCacheStats(): CacheStats;

  /** Removes every local entry but those whose write is unconfirmed. Publishes nothing. */
  clearCache(): Promise<void>;

  /**
   * The keys that match a pattern of Python's fnmatch (`*`, `?`, `[seq]`, `[!seq]`), sorted by code unit.
   * @param options.tag only keys of entries with this tag
   * @param options.limit lists a page: at most so many keys
   * @param options.after the last key of the page before
   */
  listKeys<Pattern extends string = string>(pattern?: PatternOf<Schema, Pattern>, options?: ListOptions): Promise<KeyIn<Schema, Pattern>[]>;

  /** Whether a NATS server answers within `timeoutMs`. */
  ping(): Promise<boolean>;
}
