import type { TransferOptions } from "../options/types.ts";
import type { PatternOf } from "./typed-keys.ts";

/** Entries as envelopes, for files, backups and other browsers. Newline-delimited JSON has one envelope per line. */
export interface TransferOperations<Schema extends object> {
  /**
   * The envelopes of the live entries whose keys match a pattern (see `listKeys`), in the order of the keys: the format of the messages, and
   * `expires_at` for an entry that expires. Reads page after page, each in a short transaction, and no further than its caller iterates: an
   * entry that changes meanwhile has the old or the new state. Verifies checksums, and leaves out damaged entries, with a `corrupt` event
   * each.
   * @param options.onProgress gets the number of envelopes so far, after each page
   * @throws KeyStoreError while iterating: INVALID_OPTION, STORAGE_UNAVAILABLE, INSECURE_CONTEXT, CLOSED; the reason of an aborted signal
   */
  export<Pattern extends string = string>(pattern?: PatternOf<Schema, Pattern>, options?: TransferOptions): AsyncIterable<object>;

  /**
   * Stores the entries of envelopes: those of `export`, or messages. Publishes nothing. Keeps their versions and times. The higher version of
   * a key wins, then the later `updated_at`; an unconfirmed local write stays. Skips envelopes that are malformed, damaged, too large, expired
   * or not newer, and deletes. Reads the iterable no faster than it imports; a second import of the same envelopes changes nothing.
   * @param options.onProgress gets the number of envelopes that are imported or skipped, after each slice
   * @returns how many envelopes are in the database now, and how many were skipped
   * @throws KeyStoreError INVALID_OPTION; INVALID_VALUE when `envelopes` is not iterable, or throws; QUOTA_EXCEEDED, STORAGE_UNAVAILABLE,
   * INSECURE_CONTEXT, CLOSED; the reason of an aborted signal. What was imported before stays
   */
  import(envelopes: Iterable<object> | AsyncIterable<object>, options?: TransferOptions): Promise<{ imported: number; skipped: number }>;
}
