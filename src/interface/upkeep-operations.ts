import type { FlushOptions } from "../options/types.ts";
import type { StorageStats } from "../read/catalog.ts";
import type { PendingWrite } from "../storage/outbox/pending-writes.ts";
import type { KeyOf } from "./typed-keys.ts";

/** What the outbox holds, and what the database holds. */
export interface UpkeepOperations<Schema extends object> {
  /**
   * Publishes the queued writes now.
   * @returns how many writes the server has confirmed, and how many keys have a queued or a rejected write
   */
  flush(options?: FlushOptions): Promise<{ published: number; pending: number; rejected: number }>;

  /** The newest unconfirmed or rejected write of each key. */
  pendingWrites(): Promise<PendingWrite[]>;

  /**
   * Queues rejected writes again, all or those of one key, and publishes them in the background.
   * @returns how many there were
   */
  retryRejected(key?: KeyOf<Schema>): Promise<number>;

  /**
   * Removes rejected writes from the outbox, all or those of one key. Their entries stay.
   * @returns how many there were
   */
  discardRejected(key?: KeyOf<Schema>): Promise<number>;

  /** Figures of the entries in IndexedDB. */
  getStorageStats(): Promise<StorageStats>;

  /**
   * Removes expired entries now, but those whose write is unconfirmed.
   * @returns how many were removed
   */
  sweep(): Promise<number>;
}
