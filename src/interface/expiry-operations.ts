import type { InvalidateOptions, ProgressOptions } from "../options/types.ts";
import type { KeyOf, PatternOf } from "./typed-keys.ts";

/** Deletes by tag, invalidation, and the TTL. */
export interface ExpiryOperations<Schema extends object> {
  /**
   * Deletes every entry that has the tag, and publishes each delete, in slices that block others for less than 50 ms. An entry that loses the
   * tag before its slice stays.
   * @returns how many entries were deleted, whether the server has confirmed, queued or refused the deletes: see `pendingWrites()`
   * @throws KeyStoreError as `store` does, except PUBLISH_REJECTED. Its `results` has the keys that were deleted before a failure part-way.
   * INVALID_OPTION when the tag is not a string
   */
  deleteByTag(tag: string, options?: ProgressOptions): Promise<number>;

  /**
   * Marks entries as stale, in every tab: those that match the pattern, have the tag, or both if both are given. They can still be read,
   * `getMetadata` shows them as `stale`, and `retrieveOrStore` loads them again. The next write of a key makes it fresh. Writes no
   * payload and publishes nothing. Later writes do not wait for it, and are not stale.
   * @returns how many entries were not stale before
   * @throws KeyStoreError INVALID_OPTION (also when neither a pattern nor a tag is given), STORAGE_UNAVAILABLE, QUOTA_EXCEEDED, CLOSED, and the
   * reason of an aborted signal. What is marked by then stays marked
   */
  invalidate<Pattern extends string = string>(
    what: InvalidateOptions<PatternOf<Schema, Pattern>>,
    options?: ProgressOptions,
  ): Promise<number>;

  /**
   * Restarts the ttl of an entry now. Changes neither its value, its version nor `updatedAt`, and publishes nothing. An unconfirmed write is
   * published with the new ttl. In durable mode the stream does not learn of it: where the stream expires messages, the next pull removes the entry
   * once its message has expired. An `update` keeps it everywhere.
   * @param ttl in seconds; null: the entry never expires. The default is the ttl that the entry has
   * @returns false: there is no such entry, or it has expired
   * @throws KeyStoreError INVALID_KEY, INVALID_OPTION, CHECKSUM_MISMATCH when the row is damaged so that it has no metadata,
   * STORAGE_UNAVAILABLE, QUOTA_EXCEEDED, CLOSED
   */
  touch(key: KeyOf<Schema>, ttl?: number | null): Promise<boolean>;
}
