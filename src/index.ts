export { destroyNamespace, NASKeyStore } from "./key-store.ts";
export { KeyFormat, type KeyMetadata } from "./entry/metadata.ts";
export { KeyStoreError, type KeyStoreErrorCode, type KeyStoreErrorDetails } from "./errors.ts";
export type { KeyStoreEvents } from "./events.ts";
export type { StorageStats } from "./inspector.ts";
export type { BulkOptions, DeleteOptions, KeyStoreOptions, RetrieveOptions, StoreOptions } from "./options.ts";
export type { CacheStats } from "./storage/memory-cache.ts";
export type { PendingWrite } from "./storage/pending-writes.ts";
