import type { PullResult } from "../model/pull-result.ts";
import type { PullOptions } from "../options/types.ts";
import type { PatternOf } from "./typed-keys.ts";

/** The operations of durable mode. Without the option `durable` they reject INVALID_OPTION. */
export interface DurableOperations<Schema extends object> {
  /**
   * Creates the stream of the namespace, or checks that it has the namespace's subjects. A present stream is not changed.
   * @returns its name, and whether this call created it
   * @throws KeyStoreError STREAM_UNAVAILABLE: no server answers, it has no JetStream, the client may not create streams, or another stream has
   * some of the subjects; INVALID_OPTION, CLOSED
   */
  ensureStream(): Promise<{ stream: string; created: boolean }>;

  /**
   * Brings this browser up to date with the stream: the last message of each key the first time, then what has changed since. Writes of this
   * browser that are not confirmed stay, and are published afterwards. Can be repeated after any failure: what was applied stays.
   * @returns how many entries were written (`applied`) and removed (`deleted`), how many messages were not newer than what this browser
   * has (`skipped`), how many were malformed, damaged or foreign (`rejected`), and up to which revision the store is now up to date
   * @throws KeyStoreError STREAM_UNAVAILABLE, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE, INSECURE_CONTEXT, DECRYPT_FAILED (as `store`), INVALID_OPTION, CLOSED;
   * the signal's reason
   */
  pull<Pattern extends string = string>(options?: PullOptions<PatternOf<Schema, Pattern>>): Promise<PullResult>;
}
