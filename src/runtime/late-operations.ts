import type { LateOperations } from "../interface/key-store.ts";
import { assertKey } from "../model/key.ts";
import { isDamagedRow, type EntryRow } from "../model/row.ts";
import type { Settings } from "../options/defaults.ts";
import {
  assertDurable,
  assertTag,
  assertTtl,
  itemOptions,
  readBulkOptions,
  readDeleteOptions,
  readFlushOptions,
  readInvalidated,
  readListOptions,
  readProgressOptions,
  readPullOptions,
  readRetrieveOptions,
  readRetrieveOrStoreOptions,
  readStoreOptions,
  readTransferOptions,
} from "../options/late-checks.ts";
import type { GivenItem } from "../options/arguments.ts";
import type { RetrieveOptions, RetrieveOrStoreOptions, StoreOptions } from "../options/types.ts";
import type { Catalog } from "../read/catalog.ts";
import type { Load } from "../read/load-once.ts";
import type { Reader } from "../read/reader.ts";
import { Retrieval } from "../read/retrieval.ts";
import type { Staleness } from "../read/staleness.ts";
import type { Outbox } from "../relay/outbox.ts";
import type { ImportPorts } from "../transfer/import-envelopes.ts";
import { abortable } from "../util/abort.ts";
import type { CapturedValue } from "../values/captured-value.ts";
import { checkItems } from "../write/bulk-items.ts";
import type { BulkWriter } from "../write/bulk-writer.ts";
import type { Toucher } from "../write/toucher.ts";
import type { Compute, Updater } from "../write/updater.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { Writer } from "../write/writer.ts";
import type { Housekeeping } from "./housekeeping.ts";
import type { StreamOperations } from "./stream-operations.ts";
import { transferPart } from "./transfer-part.ts";

export interface LateOperationsPorts {
  readonly reader: Pick<Reader, "readCached" | "readEntry" | "readRow">;
  /** Resolves when earlier writes of these keys are committed or have failed. */
  readonly writesCommitted: (keys: readonly string[]) => Promise<void>;
  readonly writer: Pick<Writer, "store" | "update" | "delete">;
  readonly updater: Pick<Updater, "update">;
  readonly bulkWriter: Pick<BulkWriter, "store" | "delete" | "deleteFound">;
  readonly toucher: Pick<Toucher, "touch">;
  readonly catalog: Pick<Catalog, "metadata" | "listKeys" | "livingKeys" | "storageStats">;
  readonly staleness: Pick<Staleness, "invalidate">;
  readonly housekeeping: Pick<Housekeeping, "clear" | "sweep">;
  readonly retrieveOrStore: (key: string, load: Load, options: RetrieveOrStoreOptions) => Promise<unknown>;
  readonly outbox: Pick<Outbox, "pendingWrites" | "retryRejected" | "discardRejected">;
  readonly ping: () => Promise<boolean>;
  readonly flush: LateOperations["flush"];
  readonly importPorts: ImportPorts;
  readonly durable: Settings["durable"];
  readonly stream: Pick<StreamOperations, "ensure" | "fetch" | "pull">;
}

/** The options of calls that need durable mode. */
type DurableCallOptions = Pick<StoreOptions, "ifRevision"> & Pick<RetrieveOptions, "pull">;

/** The operations that take values, which were captured in the call. */
export interface CapturedOperations {
  store(key: string, value: CapturedValue, options: unknown): Promise<boolean>;
  /** @param given the caller's argument, which may be a function that computes the value */
  update(key: string, value: CapturedValue, options: unknown, given: unknown): Promise<boolean>;
  /** @param items the caller's argument. @param given read from it */
  bulkStore(items: unknown, given: readonly GivenItem<CapturedValue>[], options: unknown): Promise<Map<string, boolean>>;
}

/** The operations that load with the write side. They check their arguments: the key, then the options. */
export function lateOperations(ports: LateOperationsPorts): LateOperations & CapturedOperations {
  const {
    reader,
    writesCommitted,
    writer,
    updater,
    bulkWriter,
    toucher,
    catalog,
    staleness,
    housekeeping,
    retrieveOrStore,
    outbox,
    ping,
    flush,
    importPorts,
    durable,
    stream,
  } = ports;
  const retrieval = new Retrieval({ reader, writesCommitted, fetch: (...call) => stream.fetch(...call) });
  /** @throws KeyStoreError INVALID_OPTION for an option that needs durable mode, where it is off */
  const supported = <Options extends DurableCallOptions>(options: Options): Options => {
    if (options.ifRevision !== undefined) assertDurable(durable, "ifRevision");
    if (options.pull !== undefined && options.pull !== "never") assertDurable(durable, "pull");
    return options;
  };
  return {
    store(key, value, options) {
      assertKey(key);
      return writer.store(key, value, supported(readStoreOptions(options)));
    },
    update(key, value, options, given) {
      assertKey(key);
      const checked = supported(readStoreOptions(options));
      return typeof given === "function" ? updater.update(key, given as Compute, checked) : writer.update(key, value, checked);
    },
    bulkStore(items, given, options) {
      const checkedItems = checkItems(items, given);
      const checked = supported(readBulkOptions(options));
      const values = Array.from(
        checkedItems,
        ([key, { value, options: own }]) => [key, { value, options: itemOptions(key, own, checked, supported) }] as const,
      );
      return bulkWriter.store(new Map(values), checked);
    },
    async retrieve<T>(key: string, options: unknown) {
      assertKey(key);
      const found = await retrieval.one(key, supported(readRetrieveOptions(options)));
      return found?.value as T | undefined;
    },
    bulkRetrieve<T>(keys: Iterable<string>, options: unknown) {
      const list = assertKeys(keys);
      return retrieval.many(list, supported(readRetrieveOptions(options))) as Promise<Map<string, T>>;
    },
    async exists(key) {
      assertKey(key);
      await writesCommitted([key]);
      return (await reader.readRow(key)) !== undefined;
    },
    delete(key, options) {
      assertKey(key);
      return writer.delete(key, supported(readDeleteOptions(options)));
    },
    retrieveOrStore: async <T>(key: string, load: unknown, options: unknown) => {
      assertKey(key);
      const checked = supported(readRetrieveOrStoreOptions(options));
      checked.signal?.throwIfAborted();
      if (typeof load !== "function") {
        throw new KeyStoreError("INVALID_OPTION", "load must be a function that returns the value of the key.", { option: "load" });
      }
      const loadValue: Load = async (...call) => {
        const value = await (load as Load)(...call);
        if (value !== undefined) return value;
        throw new KeyStoreError("INVALID_VALUE", "load returned undefined, which means an absent key. Return null, or throw.", { key });
      };
      return retrieveOrStore(key, loadValue, checked) as Promise<T>;
    },
    getMetadata(key) {
      assertKey(key);
      return catalog.metadata(key);
    },
    bulkDelete: (keys, options) => bulkWriter.delete([...new Set(assertKeys(keys))], readProgressOptions(options)),
    clearCache: () => housekeeping.clear(),
    async deleteByTag(tag, options) {
      assertTag(tag);
      const find = () => catalog.livingKeys("*", tag);
      const commits = await bulkWriter.deleteFound(find, (entry) => hasTag(entry, tag), readProgressOptions(options));
      return commits.length;
    },
    invalidate(what, options) {
      const invalidated = readInvalidated(what);
      return staleness.invalidate(invalidated, readProgressOptions(options));
    },
    touch(key, ttl) {
      assertKey(key);
      assertTtl(ttl);
      return toucher.touch(key, ttl);
    },
    listKeys: (pattern = "*", options) => catalog.listKeys(pattern, readListOptions(options)),
    ping,
    flush(options) {
      const { signal } = readFlushOptions(options);
      return abortable(signal, () => flush());
    },
    pendingWrites: () => outbox.pendingWrites(),
    retryRejected: (key) => outbox.retryRejected(key),
    discardRejected: (key) => outbox.discardRejected(key),
    getStorageStats: () => catalog.storageStats(),
    sweep: () => housekeeping.sweep(),
    async import(envelopes, options) {
      const checked = readTransferOptions(options);
      checked.signal?.throwIfAborted();
      const { importEnvelopes } = await transferPart.load();
      return importEnvelopes(importPorts, envelopes, checked);
    },
    async ensureStream() {
      assertDurable(durable, "ensureStream");
      return stream.ensure();
    },
    async pull(options) {
      const checked = readPullOptions(options);
      checked.signal?.throwIfAborted();
      assertDurable(durable, "pull");
      return stream.pull(checked);
    },
  };
}

/** @param keys an array: see readKeys. @throws KeyStoreError INVALID_KEY */
function assertKeys(keys: unknown): string[] {
  if (!Array.isArray(keys)) {
    throw new KeyStoreError("INVALID_KEY", "The keys must be an array or another iterable of strings. Await a promise of them first.");
  }
  keys.forEach(assertKey);
  return keys as string[];
}

/** A damaged row has lost its tags. The index has found it under one. */
function hasTag(entry: EntryRow, tag: string): boolean {
  return isDamagedRow(entry) || entry.tags?.includes(tag) === true;
}
