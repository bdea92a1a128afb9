import type { RetrieveOrStoreOptions } from "../options/types.ts";
import type { Asked, AskedKey, FoundValue } from "./typed-keys.ts";

/** Reading through the store. */
export interface LoadOperations<Schema extends object> {
  /**
   * The value under a key, as `retrieve` gives it. If the key is absent, has expired or is stale, calls `load` and stores what it returns.
   * Resolves as soon as that is committed; it is published in the background, and `close` waits for it.
   *
   * One `load` per key runs at a time: the calls of a page wait for it together, and those of other tabs and workers wait for a Web Lock,
   * then find the value. If the tab that loads dies, another one loads. A tab that has waited for 15 to 30 s takes over, since the
   * other may be paused. So a slower `load` may run in two tabs. `load` must not call `retrieveOrStore` for its own key.
   *
   * - `load` throws: nothing is stored, and every call of the page that waits rejects with that error. Other tabs load themselves.
   * - The signal is aborted: this call rejects with its reason. Once no call waits, the signal that `load` has received is aborted too, and
   *   what `load` returns is not stored.
   * - The key is stored, deleted or invalidated while `load` runs: that is newer, and stays. The call resolves with the newer value, or with
   *   the loaded one, which is not stored, if the key has none.
   * - The entry is damaged, its schema refuses it, or IndexedDB cannot be read: the value is loaded. If it cannot be stored there (QUOTA_EXCEEDED,
   *   STORAGE_UNAVAILABLE), the call resolves with it all the same.
   * - `staleWhileRevalidate`: a stale or expired value is returned at once, and `load` runs in the background. If that fails, nothing is
   *   reported, and the next call tries again. `close` aborts its signal.
   * - `ifVersion` is compared when the loaded value is stored: VERSION_CONFLICT, and nothing is stored. A present value is returned without it.
   *   Calls that wait for the same load share the options of the first.
   * - `ifRevision` is compared by the stream when the loaded value is stored, as for `store`: VERSION_CONFLICT, STREAM_UNAVAILABLE,
   *   PUBLISH_REJECTED, and nothing is stored.
   * @param load any value but undefined; null, 0, "" and false are values
   * @throws KeyStoreError INVALID_VALUE, PAYLOAD_TOO_LARGE, VERSION_CONFLICT, INSECURE_CONTEXT, INVALID_KEY, INVALID_OPTION, CLOSED, STORAGE_UNAVAILABLE when a part
   * of the library cannot be loaded; and what `load` throws
   */
  retrieveOrStore<T extends Asked<Schema>>(
    key: AskedKey<Schema, T>,
    load: (key: AskedKey<Schema, T>, context: { signal: AbortSignal }) => FoundValue<Schema, T> | Promise<FoundValue<Schema, T>>,
    options?: RetrieveOrStoreOptions,
  ): Promise<FoundValue<Schema, T>>;
}
