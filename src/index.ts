export { NASKeyStore } from "./key-store.ts";
export type { KeyOf, ValueOf } from "./interface/typed-keys.ts";
export { destroyNamespace } from "./runtime/destroy-namespace.ts";
export { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
export { deriveKey } from "./runtime/derive-key.ts";
export type { CryptoKeySource } from "./values/key-source.ts";
export { KeyStoreError, type KeyStoreErrorCode, type KeyStoreErrorDetails } from "./util/errors.ts";
export type { KeyStoreEvents } from "./model/events.ts";
export type { StorageStats } from "./read/catalog.ts";
export type {
  BulkItem,
  BulkOptions,
  DeleteOptions,
  DurableOptions,
  KeyStoreOptions,
  InvalidateOptions,
  ProgressOptions,
  PullOptions,
  RetrieveOptions,
  RetrieveOrStoreOptions,
  StoreOptions,
  TransferOptions,
} from "./options/types.ts";
export type { CacheStats } from "./read/memory-cache.ts";
export type { PendingWrite } from "./storage/outbox/pending-writes.ts";
