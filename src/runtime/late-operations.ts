import type { LateOperations } from "../interface/key-store.ts";
import { assertKey } from "../model/key.ts";
import { isDamagedRow, type EntryRow } from "../model/row.ts";
import {
  assertTag,
  assertTtl,
  readBulkOptions,
  readDeleteOptions,
  readFlushOptions,
  readInvalidated,
  readListOptions,
  readProgressOptions,
  readRetrieveOrStoreOptions,
  readStoreOptions,
} from "../options/late-checks.ts";
import type { RetrieveOrStoreOptions } from "../options/types.ts";
import type { Catalog } from "../read/catalog.ts";
import type { Load } from "../read/load-once.ts";
import type { Staleness } from "../read/staleness.ts";
import type { Outbox } from "../relay/outbox.ts";
import { abortable } from "../util/abort.ts";
import type { CapturedValue } from "../values/captured-value.ts";
import type { BulkWriter } from "../write/bulk-writer.ts";
import type { Toucher } from "../write/toucher.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { Writer } from "../write/writer.ts";
import type { Housekeeping } from "./housekeeping.ts";

export interface LateOperationsPorts {
  readonly writer: Pick<Writer, "store" | "update" | "delete">;
  readonly bulkWriter: Pick<BulkWriter, "store" | "deleteFound">;
  readonly toucher: Pick<Toucher, "touch">;
  readonly catalog: Pick<Catalog, "metadata" | "listKeys" | "livingKeys" | "storageStats">;
  readonly staleness: Pick<Staleness, "invalidate">;
  readonly housekeeping: Pick<Housekeeping, "clear" | "sweep">;
  readonly retrieveOrStore: (key: string, load: Load, options: RetrieveOrStoreOptions) => Promise<unknown>;
  readonly outbox: Pick<Outbox, "pendingWrites" | "retryRejected" | "discardRejected">;
  readonly ping: () => Promise<boolean>;
  readonly flush: LateOperations["flush"];
}

/** The operations that take values, which were captured in the call. */
export interface CapturedOperations {
  store(key: string, value: CapturedValue, options: unknown): Promise<boolean>;
  update(key: string, value: CapturedValue, options: unknown): Promise<boolean>;
  /** @param items the caller's argument. @param values captured from it */
  bulkStore(items: unknown, values: ReadonlyMap<string, CapturedValue>, options: unknown): Promise<Map<string, boolean>>;
}

/** The operations that load with the write side. They check their arguments: the key, then the options. */
export function lateOperations(ports: LateOperationsPorts): LateOperations & CapturedOperations {
  const { writer, bulkWriter, toucher, catalog, staleness, housekeeping, retrieveOrStore, outbox, ping, flush } = ports;
  return {
    store(key, value, options) {
      assertKey(key);
      return writer.store(key, value, readStoreOptions(options));
    },
    update(key, value, options) {
      assertKey(key);
      return writer.update(key, value, readStoreOptions(options));
    },
    bulkStore: (items, values, options) => bulkWriter.store(items, values, readBulkOptions(options)),
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
    listKeys: (pattern = "*", options) => catalog.listKeys(pattern, readListOptions(options).tag),
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
  };
}

/** A damaged row has lost its tags. The index has found it under one. */
function hasTag(entry: EntryRow, tag: string): boolean {
  return isDamagedRow(entry) || entry.tags?.includes(tag) === true;
}
