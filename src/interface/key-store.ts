/// <reference lib="esnext.disposable" preserve="true" />
// Kept in the declarations: apps need not have `Symbol.asyncDispose` in the `lib` of their own configuration.
import type { KeyStoreEventTarget } from "../model/events.ts";
import type { KeyStoreOptions } from "../options/types.ts";
import type { DurableOperations } from "./durable-operations.ts";
import type { ExpiryOperations } from "./expiry-operations.ts";
import type { Iteration } from "./iteration.ts";
import type { LoadOperations } from "./load-operations.ts";
import type { BasicOperations } from "./basic-operations.ts";
import type { TransferOperations } from "./transfer-operations.ts";
import type { UpkeepOperations } from "./upkeep-operations.ts";
import type { WatchOperations } from "./watch-operations.ts";

/**
 * A key-value store in the browser that publishes every write to NATS. Reads are answered from memory or IndexedDB. Writes are
 * committed to IndexedDB, then published over a connection that is open only while operations need it.
 * @typeParam Schema maps keys, or patterns of keys, to the types of their values: { "user:${string}": User; theme: "dark" | "light" }.
 * The most specific pattern wins. Other keys and values do not compile
 */
// The default must be a type whose keys are all strings and whose values are not checked.
// oxlint-disable-next-line typescript/no-explicit-any
export interface NASKeyStore<Schema extends object = Record<string, any>>
  extends
    KeyStoreEventTarget,
    BasicOperations<Schema>,
    LoadOperations<Schema>,
    ExpiryOperations<Schema>,
    TransferOperations<Schema>,
    UpkeepOperations<Schema>,
    Iteration<Schema>,
    WatchOperations<Schema>,
    DurableOperations<Schema> {
  /**
   * Waits for the operations under way, then releases everything. Later operations reject CLOSED. So do those that after `timeoutMs` still
   * wait for a function that returns an encryption key. Other functions of yours (of `update`, `retrieveOrStore`, schemas) must end.
   */
  close(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}

export interface NASKeyStoreConstructor {
  /**
   * Publishes queued writes of an earlier page, with no operation needed. Throws nothing outside a browser: operations then reject
   * STORAGE_UNAVAILABLE.
   * @throws KeyStoreError INVALID_OPTION
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  new <Schema extends object = Record<string, any>>(options?: KeyStoreOptions): NASKeyStore<Schema>;
  readonly prototype: NASKeyStore;
}

/** The operations that the write side implements: see runtime/late-operations.ts. */
export type LateOperations = Pick<
  NASKeyStore,
  | "retrieveOrStore"
  | "retrieve"
  | "exists"
  | "bulkRetrieve"
  | "bulkDelete"
  | "delete"
  | "getMetadata"
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
  | "ensureStream"
  | "pull"
>;
