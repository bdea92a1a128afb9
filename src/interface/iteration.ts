import type { EntriesOptions } from "../options/types.ts";
import type { AskedPattern, EntryIn, PatternOf } from "./typed-keys.ts";

/**
 * Operations that return an async iterable. The first step reads the arguments, and nothing happens before it. Each step is an operation:
 * `close` does not wait for the next one.
 */
export interface Iteration<Schema extends object> {
  /**
   * The entries that match a pattern, in key order (code units), each key at most once. Memory is bounded: pages of at most 256 entries, and
   * about 1 MB, are read as the loop goes on. Each page is a snapshot: a write is seen if its key is on a later page. Damaged entries are
   * left out, with a `corrupt` event each. Fills no memory cache, and does not count as a use: it protects no entry from eviction.
   * @throws KeyStoreError STORAGE_UNAVAILABLE, INVALID_OPTION, CLOSED, at the step that fails. The reason of the signal
   */
  entries<T extends AskedPattern<Schema> = AskedPattern<Schema>>(
    pattern?: PatternOf<Schema, T>,
    options?: EntriesOptions,
  ): AsyncIterable<EntryIn<Schema, T>>;
}
