import type { LateOperations } from "../interface/key-store.ts";
import { assertKey } from "../model/key.ts";
import { isDamagedRow, type EntryRow } from "../model/row.ts";
import {
  assertTag,
  assertTtl,
  itemOptions,
  readBulkOptions,
  readDeleteOptions,
  readFlushOptions,
  readInvalidated,
  readListOptions,
  readProgressOptions,
  readRetrieveOrStoreOptions,
  readStoreOptions,
  readTransferOptions,
} from "../options/late-checks.ts";
import type { RetrieveOrStoreOptions } from "../options/types.ts";
import type { Catalog } from "../read/catalog.ts";
import type { Load } from "../read/load-once.ts";
import type { Staleness } from "../read/staleness.ts";
import type { Outbox } from "../relay/outbox.ts";
import type { ImportPorts } from "../transfer/import-envelopes.ts";
import { abortable } from "../util/abort.ts";
import type { CapturedItem, CapturedValue } from "../values/captured-value.ts";
import type { BulkWriter } from "../write/bulk-writer.ts";
import type { Toucher } from "../write/toucher.ts";
import type { Compute, Updater } from "../write/updater.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { Writer } from "../write/writer.ts";
import type { Housekeeping } from "./housekeeping.ts";
import { transferPart } from "./transfer-part.ts";

export interface LateOperationsPorts {
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
}

/** The operations that take values, which were captured in the call. */
export interface CapturedOperations {
  store(key: string, value: CapturedValue, options: unknown): Promise<boolean>;
  /** @param given the caller's argument, which may be a function that computes the value */
  update(key: string, value: CapturedValue, options: unknown, given: unknown): Promise<boolean>;
  /** @param items the caller's argument. @param values captured from it */
  bulkStore(items: unknown, values: ReadonlyMap<string, CapturedItem>, options: unknown): Promise<Map<string, boolean>>;
}

/** The operations that load with the write side. They check their arguments: the key, then the options. */
export function lateOperations(ports: LateOperationsPorts): LateOperations & CapturedOperations {
  const { writer, updater, bulkWriter, toucher, catalog, staleness, housekeeping, retrieveOrStore, outbox, ping, flush, importPorts } =
    ports;
  return {
    store(key, value, options) {
      assertKey(key);
      return writer.store(key, value, readStoreOptions(options));
    },
    update(key, value, options, given) {
      assertKey(key);
      const checked = readStoreOptions(options);
      return typeof given === "function" ? updater.update(key, given as Compute, checked) : writer.update(key, value, checked);
    },
    bulkStore(items, values, options) {
      const checked = readBulkOptions(options);
      const withOptions = new Map(Array.from(values, ([key, [value, own]]) => [key, { value, options: itemOptions(key, own, checked) }]));
      return bulkWriter.store(items, withOptions, checked);
    },
    delete(key, options) {
      assertKey(key);
      return writer.delete(key, readDeleteOptions(options));
    },
    retrieveOrStore: async <T>(key: string, load: unknown, options: unknown) => {
      assertKey(key);
      const checked = readRetrieveOrStoreOptions(options);
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
    async bulkDelete(keys, options) {
      const commits = await bulkWriter.delete([...new Set(keys)], readProgressOptions(options));
      return new Map(commits.map(({ draft, replaced }) => [draft.key, replaced !== undefined]));
    },
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
  };
}

/** A damaged row has lost its tags. The index has found it under one. */
function hasTag(entry: EntryRow, tag: string): boolean {
  return isDamagedRow(entry) || entry.tags?.includes(tag) === true;
}
