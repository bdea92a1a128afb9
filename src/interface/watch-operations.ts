import type { WatchOptions } from "../options/types.ts";
import type { Asked, AskedKey, ChangeIn, FoundValue, PatternOf } from "./typed-keys.ts";

/** Changes of entries, and values in memory. */
export interface WatchOperations<Schema extends object> {
  /**
   * Calls a listener for each change of an entry whose key matches a pattern (see `listKeys`), made by this store, by other stores of the
   * page or by other tabs. Uses no network. `retrieve` in the listener returns the new value, or a newer one.
   *
   * The changes of a key arrive in the order of their versions. After a `clear`, all entries may have changed: read again what you show. Its
   * `key` is the pattern.
   * @param listener an error that it throws is reported as uncaught (`reportError`)
   * @returns ends the watch. An aborted `signal` and `close()` end it too
   * @throws KeyStoreError INVALID_OPTION, CLOSED, in the call itself
   */
  watch<Pattern extends string>(
    pattern: PatternOf<Schema, Pattern>,
    listener: (change: ChangeIn<Schema, Pattern>) => void,
    options?: WatchOptions,
  ): () => void;

  /**
   * The same changes from this call on, as an iterator that ends when the watch ends. If more than 1,000 changes wait, one `clear` replaces
   * them. Iterate it or end it: until then it collects changes.
   * @throws KeyStoreError INVALID_OPTION, CLOSED, in the call itself. The iterator rejects STORAGE_UNAVAILABLE if a part of the library cannot load,
   * or if there is no storage
   */
  watch<Pattern extends string>(pattern: PatternOf<Schema, Pattern>, options?: WatchOptions): AsyncIterable<ChangeIn<Schema, Pattern>>;

  /**
   * The value under a key if memory has it, at once and as a fresh copy; undefined if it does not, or if the entry has expired. Does not
   * count as a use. Waits for no write: the value is that of the last commit. Undefined, too, for a value whose schema is asynchronous and may change it.
   * @throws KeyStoreError SCHEMA_MISMATCH, INVALID_KEY, CLOSED, in the call itself
   */
  peek<T extends Asked<Schema> = Asked<Schema>>(key: AskedKey<Schema, T>): FoundValue<Schema, T> | undefined;
}
