/// <reference lib="esnext.disposable" preserve="true" />
// Kept in the declarations: apps need not have `Symbol.asyncDispose` in the `lib` of their own configuration.
import type { KeyStoreEventTarget } from "../model/events.ts";
import type { KeyStoreOptions } from "../options/types.ts";
import type { ExpiryOperations } from "./expiry-operations.ts";
import type { Iteration } from "./iteration.ts";
import type { LoadOperations } from "./load-operations.ts";
import type { SeedOperations } from "./seed-operations.ts";
import type { TransferOperations } from "./transfer-operations.ts";
import type { UpkeepOperations } from "./upkeep-operations.ts";
import type { WatchOperations } from "./watch-operations.ts";

/**
 * A key-value store in the browser that publishes every write to NATS. Reads are answered from memory or IndexedDB. Writes are
 * committed to IndexedDB, then published over a connection that is open only while operations need it.
 */
export interface NASKeyStore
  extends
    KeyStoreEventTarget,
    SeedOperations,
    LoadOperations,
    ExpiryOperations,
    TransferOperations,
    UpkeepOperations,
    WatchOperations,
    Iteration {
  /** Waits for the operations under way, then releases everything. Later operations reject CLOSED. */
  close(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}

export interface NASKeyStoreConstructor {
  /**
   * Publishes queued writes of an earlier page, with no operation needed. Throws nothing outside a browser: operations then reject
   * STORAGE_UNAVAILABLE.
   * @throws KeyStoreError INVALID_OPTION
   */
  new (options?: KeyStoreOptions): NASKeyStore;
  readonly prototype: NASKeyStore;
}

/** The operations that the write side implements: see runtime/late-operations.ts. */
export type LateOperations = Pick<
  NASKeyStore,
  | "retrieveOrStore"
  | "delete"
  | "getMetadata"
  | "bulkDelete"
  | "clearCache"
  | "deleteByTag"
  | "invalidate"
  | "touch"
  | "listKeys"
  | "ping"
  | "flush"
  | "pendingWrites"
  | "retryRejected"
  | "discardRejected"
  | "getStorageStats"
  | "sweep"
  | "import"
>;
