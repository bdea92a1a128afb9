import type { LateOperations } from "../interface/key-store.ts";
import { assertKey } from "../model/key.ts";
import { readDeleteOptions, readFlushOptions, readListOptions } from "../options/late-checks.ts";
import type { Catalog } from "../read/catalog.ts";
import type { Outbox } from "../relay/outbox.ts";
import { abortable } from "../util/abort.ts";
import type { Writer } from "../write/writer.ts";
import type { Housekeeping } from "./housekeeping.ts";

export interface LateOperationsPorts {
  readonly writer: Pick<Writer, "delete">;
  readonly catalog: Pick<Catalog, "metadata" | "listKeys" | "storageStats">;
  readonly housekeeping: Pick<Housekeeping, "clear" | "sweep">;
  readonly outbox: Pick<Outbox, "pendingWrites" | "retryRejected" | "discardRejected">;
  readonly ping: () => Promise<boolean>;
  readonly flush: LateOperations["flush"];
}

/** The operations that load with the write side. They check their arguments: the key, then the options. */
export function lateOperations({ writer, catalog, housekeeping, outbox, ping, flush }: LateOperationsPorts): LateOperations {
  return {
    delete(key, options) {
      assertKey(key);
      return writer.delete(key, readDeleteOptions(options));
    },
    getMetadata(key) {
      assertKey(key);
      return catalog.metadata(key);
    },
    clearCache: () => housekeeping.clear(),
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
