export { destroyNamespace, NASKeyStore } from "./key-store.ts";
export { KeyFormat, type KeyMetadata } from "./model/metadata.ts";
export { KeyStoreError, type KeyStoreErrorCode, type KeyStoreErrorDetails } from "./util/errors.ts";
export type { KeyStoreEvents } from "./model/events.ts";
export type { StorageStats } from "./read/inspector.ts";
export type { BulkOptions, DeleteOptions, KeyStoreOptions, RetrieveOptions, StoreOptions } from "./options/options.ts";
export type { CacheStats } from "./read/memory-cache.ts";
export type { PendingWrite } from "./storage/outbox/pending-writes.ts";
