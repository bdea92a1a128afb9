/// <reference lib="esnext.disposable" preserve="true" />
// Kept in the declarations: apps need not have `Symbol.asyncDispose` in the `lib` of their own configuration.
import { KeyStoreEventTarget } from "./model/events.ts";
import { assertKey } from "./model/key.ts";
import { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
import { readItems, readKeys } from "./options/arguments.ts";
import { checkedOptionsOf } from "./options/checked-options.ts";
import {
  readBulkOptions,
  readDeleteOptions,
  readFlushOptions,
  readListOptions,
  readRetrieveOptions,
  readStoreOptions,
} from "./options/checks.ts";
import type { BulkOptions, DeleteOptions, KeyStoreOptions, RetrieveOptions, StoreOptions } from "./options/types.ts";
import type { StorageStats } from "./read/catalog.ts";
import type { CacheStats } from "./read/memory-cache.ts";
import { Operations } from "./runtime/operations.ts";
import type { Pages } from "./runtime/page.ts";
import { openRuntime, type Runtime } from "./runtime/runtime.ts";
import type { WriteSide } from "./runtime/write-side.ts";
import type { PendingWrite } from "./storage/outbox/pending-writes.ts";
import { abortable } from "./util/abort.ts";
import type { Clock } from "./util/clock.ts";
import { captureAs, captureForUpdate } from "./values/captured-value.ts";

/**
 * A key-value store in the browser that publishes every write to NATS. Reads are answered from memory or IndexedDB. Writes are
 * committed to IndexedDB, then published over a connection that is open only while operations need it.
 */
export class NASKeyStore extends KeyStoreEventTarget {
  readonly #runtime: Runtime;
  readonly #operations: Operations;

  /**
   * Publishes queued writes of an earlier page, with no operation needed. Throws nothing outside a browser: operations then reject
   * STORAGE_UNAVAILABLE.
   * @throws KeyStoreError INVALID_OPTION
   */
  constructor(options?: KeyStoreOptions);
  /** @param clock moved by the tests. @param pages the tabs of the tests. Neither is part of the public declarations */
  constructor(options?: KeyStoreOptions, clock?: Clock, pages?: Pages) {
    super();
    this.#runtime = openRuntime(
      checkedOptionsOf(options),
      (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail })),
      clock,
      pages,
    );
    this.#operations = new Operations(this.#runtime.writeSide);
  }

  /**
   * Stores a value under a key, and publishes it.
   * @returns true: committed here, and read by the server. false: committed here and queued; published once the server answers, also
   * after a reload
   * @throws KeyStoreError PUBLISH_REJECTED: committed here, refused by the server. With any other code nothing has changed:
   * INVALID_KEY, INVALID_VALUE, INVALID_OPTION, PAYLOAD_TOO_LARGE, VERSION_CONFLICT, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE,
   * INSECURE_CONTEXT, CLOSED
   */
  store(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#onKey(key, () => {
      const checked = readStoreOptions(options);
      const captured = captureAs(checked.format ?? KeyFormat.JSON, key, value);
      return this.#operations.write([key], ({ writer }) => writer.store(key, captured, checked));
    });
  }

  /**
   * The value under a key, a fresh copy at each call; undefined when the key is absent or has expired. Never uses the network.
   * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE, INVALID_KEY, INVALID_OPTION, CLOSED
   */
  async retrieve<T = unknown>(key: string, options?: RetrieveOptions): Promise<T | undefined> {
    const { reader } = this.#runtime;
    // A read from memory waits for nothing, so `close` need not wait for it. Every key in memory is valid.
    const isPlain = options === undefined && this.#operations.mayRead(key);
    const cached = isPlain ? reader.readCached(key) : undefined;
    if (cached !== undefined) return (cached instanceof Promise ? await cached : cached).value as T;
    const found = await this.#onKey(key, () => {
      const { useCache = true, signal } = readRetrieveOptions(options);
      return this.#operations.read([key], signal, () => (isPlain ? reader.readStored(key, true) : reader.read(key, useCache)));
    });
    return found?.value as T | undefined;
  }

  /**
   * Deletes a key, and publishes that, also for an absent key: the network may have it.
   * @returns whether the key existed. `pendingWrites()` shows whether the delete is confirmed
   * @throws KeyStoreError as `store` does
   */
  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    return this.#onKey(key, () => {
      const checked = readDeleteOptions(options);
      return this.#operations.write([key], ({ writer }) => writer.delete(key, checked));
    });
  }

  /** Whether there is an entry under the key that has not expired. */
  exists(key: string): Promise<boolean> {
    return this.#onKey(key, () =>
      this.#operations.read([key], undefined, async () => (await this.#runtime.reader.readRow(key)) !== undefined),
    );
  }

  /**
   * Stores a new value with the key's format, ttl (which starts again) and tags, unless they are given. Creates an absent key.
   * @returns as `store` does
   * @throws KeyStoreError as `store` does
   */
  update(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#onKey(key, () => {
      const checked = readStoreOptions(options);
      const captured = checked.format === undefined ? captureForUpdate(key, value) : captureAs(checked.format, key, value);
      return this.#operations.write([key], ({ writer }) => writer.update(key, captured, checked));
    });
  }

  /**
   * Stores many values under the same options. One invalid item rejects the call before anything is written. A key given twice is
   * written once, with its last value.
   * @returns for each key: true, or false when the write is queued or the server has refused it
   * @throws KeyStoreError as `store` does. Its `results` has the keys that were committed before a failure part-way
   */
  bulkStore(items: Record<string, unknown> | Iterable<readonly [string, unknown]>, options?: BulkOptions): Promise<Map<string, boolean>> {
    return this.#operations.run(() => {
      const pairs = readItems(items);
      const checked = readBulkOptions(options);
      const { format = KeyFormat.JSON } = checked;
      const captured = new Map(Array.from(pairs, ([key, value]) => [key, captureAs(format, key, value)]));
      return this.#operations.write([...captured.keys()], ({ bulkWriter }) => bulkWriter.store(items, captured, checked));
    });
  }

  /**
   * The values under many keys: those found, in the order of the keys. Damaged entries are left out, with a `corrupt` event each.
   * @throws KeyStoreError STORAGE_UNAVAILABLE, INVALID_KEY, INVALID_OPTION, CLOSED
   */
  bulkRetrieve<T = unknown>(keys: Iterable<string>, options?: RetrieveOptions): Promise<Map<string, T>> {
    return this.#operations.run(() => {
      const list = readKeys(keys);
      const { useCache = true, signal } = readRetrieveOptions(options);
      return this.#operations.read(list, signal, () => this.#runtime.reader.bulkRetrieve(list, useCache) as Promise<Map<string, T>>);
    });
  }

  /** The metadata of a key; undefined when the key is absent or has expired. */
  getMetadata(key: string): Promise<KeyMetadata | undefined> {
    return this.#onKey(key, () => this.#onWriteSide(({ catalog }) => catalog.metadata(key)));
  }

  /** Figures of the memory cache, at once. */
  getCacheStats(): CacheStats {
    return this.#runtime.cacheStats();
  }

  /** Removes every local entry but those whose write is unconfirmed. Publishes nothing. */
  clearCache(): Promise<void> {
    return this.#operations.run(() => this.#operations.write([undefined], ({ housekeeping }) => housekeeping.clear()));
  }

  /**
   * The keys that match a pattern of Python's fnmatch (`*`, `?`, `[seq]`, `[!seq]`), sorted by code unit.
   * @param options.tag only keys of entries with this tag
   */
  listKeys(pattern = "*", options?: { tag?: string }): Promise<string[]> {
    return this.#operations.run(() => {
      const { tag } = readListOptions(options);
      return this.#onWriteSide(({ catalog }) => catalog.listKeys(pattern, tag));
    });
  }

  /** Whether a NATS server answers within `timeoutMs`. */
  ping(): Promise<boolean> {
    return this.#runLate(({ transport }) => transport.ping());
  }

  /**
   * Publishes the queued writes now.
   * @returns how many writes the server has confirmed, and how many keys have a queued or a rejected write
   */
  flush(options?: { signal?: AbortSignal }): Promise<{ published: number; pending: number; rejected: number }> {
    return this.#operations.run(() => {
      const { signal } = readFlushOptions(options);
      return abortable(signal, () => this.#onWriteSide(({ flush }) => flush()));
    });
  }

  /** The newest unconfirmed or rejected write of each key. */
  pendingWrites(): Promise<PendingWrite[]> {
    return this.#runLate(({ outbox }) => outbox.pendingWrites());
  }

  /**
   * Queues rejected writes again, all or those of one key, and publishes them in the background.
   * @returns how many there were
   */
  retryRejected(key?: string): Promise<number> {
    return this.#runLate(({ outbox }) => outbox.retryRejected(key), key);
  }

  /**
   * Removes rejected writes from the outbox, all or those of one key. Their entries stay.
   * @returns how many there were
   */
  discardRejected(key?: string): Promise<number> {
    return this.#runLate(({ outbox }) => outbox.discardRejected(key), key);
  }

  /** Figures of the entries in IndexedDB. */
  getStorageStats(): Promise<StorageStats> {
    return this.#runLate(({ catalog }) => catalog.storageStats());
  }

  /**
   * Removes expired entries now, but those whose write is unconfirmed.
   * @returns how many were removed
   */
  sweep(): Promise<number> {
    return this.#runLate(({ housekeeping }) => housekeeping.sweep());
  }

  /** Waits for the operations under way, then releases everything. Later operations reject CLOSED. */
  close(): Promise<void> {
    return this.#operations.close(() => this.#runtime.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** An operation on one key, which its errors name. */
  #onKey<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#operations.run(() => {
      assertKey(key);
      return work();
    }, key);
  }

  /** An operation whose arguments the write side checks. */
  #runLate<T>(work: (writeSide: WriteSide) => Promise<T>, key?: string): Promise<T> {
    return this.#operations.run(() => this.#onWriteSide(work), key);
  }

  /** Takes a turn even if the write side has loaded, so that operations keep the order of the calls. */
  async #onWriteSide<T>(work: (writeSide: WriteSide) => Promise<T>): Promise<T> {
    return work(await this.#runtime.writeSide());
  }
}
