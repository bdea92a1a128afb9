/// <reference lib="esnext.disposable" preserve="true" />
// Kept in the declarations: apps need not have `Symbol.asyncDispose` in the `lib` of their own configuration.
import { unlessAborted } from "./util/abort.ts";
import { assertKey, assertNamespace } from "./model/key.ts";
import { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
import { aboutKey, KeyStoreError } from "./util/errors.ts";
import { KeyStoreEventTarget } from "./model/events.ts";
import type { StorageStats } from "./read/inspector.ts";
import {
  readBulkOptions,
  readDeleteOptions,
  readKeyStoreOptions,
  readListOptions,
  readRetrieveOptions,
  readSignalOptions,
  readStoreOptions,
  type BulkOptions,
  type DeleteOptions,
  type KeyStoreOptions,
  type RetrieveOptions,
  type StoreOptions,
} from "./options/options.ts";
import { databaseName, openRuntime, type Runtime } from "./runtime/runtime.ts";
import { deleteDatabase } from "./storage/idb/database.ts";
import type { CacheStats } from "./read/memory-cache.ts";
import type { PendingWrite } from "./storage/outbox/pending-writes.ts";
import { captureAs, captureForUpdate } from "./values/captured-value.ts";
import type { WriteSide } from "./runtime/write-side.ts";

/**
 * A key-value store in the browser that publishes every write to NATS. Reads are answered from memory or IndexedDB,
 * writes are committed to IndexedDB, then published over a connection that lives as long as something needs it.
 */
export class NASKeyStore extends KeyStoreEventTarget {
  readonly #runtime: Runtime;
  /** Operations under way; `close` waits for them. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** Set once `close` was called: operations are refused from then on. */
  #closing: Promise<void> | undefined;

  /**
   * Publishes what waits from an earlier page, with no operation needed. Throws nothing outside a browser, where
   * operations then reject STORAGE_UNAVAILABLE.
   * @throws KeyStoreError INVALID_OPTION
   */
  constructor(options?: KeyStoreOptions) {
    super();
    this.#runtime = openRuntime(readKeyStoreOptions(options), (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail })));
  }

  /**
   * Stores a value under a key, and publishes it.
   * @returns true: committed here and read by the server; false: committed here and queued, to be published as soon as
   * the server answers, also after a reload
   * @throws KeyStoreError PUBLISH_REJECTED: committed here, refused by the server. With any other code nothing changed:
   * INVALID_KEY, INVALID_VALUE, INVALID_OPTION, PAYLOAD_TOO_LARGE, VERSION_CONFLICT, QUOTA_EXCEEDED,
   * STORAGE_UNAVAILABLE, INSECURE_CONTEXT, CLOSED
   */
  store(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#operation(() => {
      assertKey(key);
      const checked = readStoreOptions(options);
      const taken = captureAs(checked.format ?? KeyFormat.JSON, key, value);
      return this.#onWriteSide(({ writer }) => writer.store(key, taken, checked));
    }, key);
  }

  /**
   * The value under a key, a fresh copy each time; undefined when there is none or it has expired. Never asks the network.
   * @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, STORAGE_UNAVAILABLE, INVALID_KEY, INVALID_OPTION, CLOSED
   */
  async retrieve<T = unknown>(key: string, options?: RetrieveOptions): Promise<T | undefined> {
    const { useCache = true, signal } = readRetrieveOptions(options);
    signal?.throwIfAborted();
    // What is in memory needs no waiting, and nothing for `close` to wait for; and it is under a valid key.
    const remembered = useCache && this.#closing === undefined ? this.#runtime.reader.recall(key) : undefined;
    if (remembered !== undefined) return remembered.value as T;
    assertKey(key);
    const found = await this.#operation(() => abortable(signal, () => this.#runtime.reader.look(key, useCache)), key);
    return found?.value as T | undefined;
  }

  /**
   * Deletes a key, and publishes that, also for a key that is not here: the network may have it.
   * @returns whether the key existed; confirmed or queued alike, `pendingWrites()` tells which
   * @throws KeyStoreError as `store` does
   */
  delete(key: string, options?: DeleteOptions): Promise<boolean> {
    return this.#operation(() => {
      assertKey(key);
      const checked = readDeleteOptions(options);
      return this.#onWriteSide(({ writer }) => writer.delete(key, checked));
    }, key);
  }

  /** Whether there is an entry under the key that has not expired. */
  exists(key: string): Promise<boolean> {
    return this.#operation(async () => {
      assertKey(key);
      return (await this.#runtime.reader.entry(key)) !== undefined;
    }, key);
  }

  /**
   * Stores a new value and keeps the key's format, ttl (which starts anew) and tags unless they are given. Creates the
   * key when it is absent.
   * @returns as `store` does
   * @throws KeyStoreError as `store` does
   */
  update(key: string, value: unknown, options?: StoreOptions): Promise<boolean> {
    return this.#operation(() => {
      assertKey(key);
      const checked = readStoreOptions(options);
      const taken = checked.format === undefined ? captureForUpdate(key, value) : captureAs(checked.format, key, value);
      return this.#onWriteSide(({ writer }) => writer.update(key, taken, checked));
    }, key);
  }

  /**
   * Stores many values under the same options. One invalid item rejects the call before anything is written; a key given
   * twice is written once, with its last value.
   * @returns for each key: true, or false when it is queued or was refused by the server
   * @throws KeyStoreError as `store` does; its `results` has the keys that were committed before a failure part-way
   */
  bulkStore(items: Record<string, unknown> | Iterable<readonly [string, unknown]>, options?: BulkOptions): Promise<Map<string, boolean>> {
    return this.#operation(() => {
      const pairs = readItems(items);
      const checked = readBulkOptions(options);
      const taken = new Map(Array.from(pairs, ([key, value]) => [key, captureAs(checked.format ?? KeyFormat.JSON, key, value)]));
      return this.#onWriteSide(({ writer }) => writer.bulkStore(taken, checked));
    });
  }

  /**
   * The values under many keys: those found, in the order asked. One that is damaged is left out, with a `corrupt` event.
   * @throws KeyStoreError STORAGE_UNAVAILABLE, INVALID_KEY, INVALID_OPTION, CLOSED
   */
  bulkRetrieve<T = unknown>(keys: Iterable<string>, options?: RetrieveOptions): Promise<Map<string, T>> {
    return this.#operation(() => {
      const { useCache = true, signal } = readRetrieveOptions(options);
      const list = readKeys(keys);
      return abortable(signal, () => this.#runtime.reader.bulkRetrieve(list, useCache) as Promise<Map<string, T>>);
    });
  }

  /** What is known of a key besides its value; undefined when there is no such key. */
  getMetadata(key: string): Promise<KeyMetadata | undefined> {
    return this.#operation(() => {
      assertKey(key);
      return this.#onWriteSide(({ inspector }) => inspector.metadata(key));
    }, key);
  }

  /** The memory front's figures, at once. */
  getCacheStats(): CacheStats {
    return this.#runtime.memory.stats(Date.now());
  }

  /** Drops every local entry but those that are not confirmed; publishes nothing. */
  clearCache(): Promise<void> {
    return this.#operation(async () => {
      await this.#onWriteSide(({ housekeeping }) => housekeeping.clear());
      this.#runtime.reader.forgetAll();
      this.#runtime.channel.post({ type: "cleared" });
    });
  }

  /**
   * The keys that match a pattern as Python's fnmatch has it (`*`, `?`, `[seq]`, `[!seq]`), sorted by code unit.
   * @param options.tag only entries with this tag
   */
  listKeys(pattern = "*", options?: { tag?: string }): Promise<string[]> {
    return this.#operation(async () => {
      if (typeof pattern !== "string") throw new KeyStoreError("INVALID_OPTION", "The pattern must be a string.");
      const { tag } = readListOptions(options);
      return this.#onWriteSide(({ inspector }) => inspector.listKeys(pattern, tag));
    });
  }

  /** Whether a NATS server answers within `timeoutMs`. */
  ping(): Promise<boolean> {
    return this.#operation(() => this.#onWriteSide(({ publisher }) => publisher.ping()));
  }

  /**
   * Publishes what waits, now.
   * @returns how many writes it published, and how many still wait or were refused
   */
  flush(options?: { signal?: AbortSignal }): Promise<{ published: number; pending: number; rejected: number }> {
    return this.#operation(async () => {
      const { signal } = readSignalOptions(options);
      return abortable(signal, () =>
        this.#onWriteSide(async ({ relay, dispatcher }) => {
          const { published } = await relay.flush();
          return { published, ...(await dispatcher.count()) };
        }),
      );
    });
  }

  /** One row per key: its newest write that is not confirmed. */
  pendingWrites(): Promise<PendingWrite[]> {
    return this.#operation(() => this.#onWriteSide(({ inspector }) => inspector.pendingWrites()));
  }

  /**
   * Queues writes that the server refused anew, all or those of one key, and publishes them in the background.
   * @returns how many there were
   */
  retryRejected(key?: string): Promise<number> {
    return this.#operation(() => {
      if (key !== undefined) assertKey(key);
      return this.#onWriteSide(({ dispatcher }) => dispatcher.retryRejected(key));
    }, key);
  }

  /**
   * Gives up publishing what the server refused, all or what is of one key; the entries stay here.
   * @returns how many writes there were
   */
  discardRejected(key?: string): Promise<number> {
    return this.#operation(() => {
      if (key !== undefined) assertKey(key);
      return this.#onWriteSide(({ dispatcher }) => dispatcher.discardRejected(key));
    }, key);
  }

  /** What IndexedDB holds. */
  getStorageStats(): Promise<StorageStats> {
    return this.#operation(() => this.#onWriteSide(({ inspector }) => inspector.storageStats()));
  }

  /**
   * Removes what has expired now, but for what is not confirmed.
   * @returns how many entries were removed
   */
  sweep(): Promise<number> {
    return this.#operation(() => this.#onWriteSide(({ housekeeping }) => housekeeping.sweep()));
  }

  /** Waits for what is under way, then lets go of everything. Later operations reject CLOSED. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.#runtime.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What is done by the write side, in the order of the calls: also when it is there it takes a turn to get it. */
  async #onWriteSide<T>(work: (writeSide: WriteSide) => Promise<T>): Promise<T> {
    return work(await this.#runtime.writeSide());
  }

  /**
   * Every operation: refused after `close`, waited for by it; what it throws becomes a rejection.
   * @param key what it is about, to be named by its errors
   */
  async #operation<T>(work: () => Promise<T>, key?: string): Promise<T> {
    try {
      if (this.#closing !== undefined) throw new KeyStoreError("CLOSED", "The store was closed: make a new one.");
      const running = work();
      this.#underWay.add(running);
      return await running.finally(() => this.#underWay.delete(running));
    } catch (error) {
      throw aboutKey(key, error);
    }
  }
}

/**
 * Deletes a namespace's IndexedDB database, pending writes included.
 * @throws KeyStoreError INVALID_OPTION, STORAGE_UNAVAILABLE
 */
export async function destroyNamespace(namespace: string): Promise<void> {
  assertNamespace(namespace);
  await deleteDatabase(databaseName(namespace));
}

/** @throws the signal's reason as soon as it is aborted */
function abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  return unlessAborted(work(), signal, () => {
    throw signal?.reason;
  });
}

/** @throws KeyStoreError INVALID_VALUE, INVALID_KEY */
function readItems(items: unknown): Map<string, unknown> {
  const map = new Map<string, unknown>();
  for (const pair of pairsOf(items)) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new KeyStoreError("INVALID_VALUE", "Each of the items must be a pair [key, value].");
    }
    const [key, value] = pair as [unknown, unknown];
    assertKey(key);
    map.set(key, value);
  }
  return map;
}

function pairsOf(items: unknown): Iterable<unknown> {
  if (typeof items === "object" && items !== null) {
    return Symbol.iterator in items ? (items as Iterable<unknown>) : Object.entries(items);
  }
  throw new KeyStoreError("INVALID_VALUE", "The items must be an object or an iterable of pairs [key, value].");
}

/** @throws KeyStoreError INVALID_KEY */
function readKeys(keys: unknown): string[] {
  if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
    throw new KeyStoreError("INVALID_KEY", "The keys must be an array or another iterable of strings.");
  }
  return Array.from(keys as Iterable<unknown>, (key) => {
    assertKey(key);
    return key;
  });
}
