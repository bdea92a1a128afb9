import type { Memory, Usage } from "../../model/change.ts";
import type { Payload, WriteId } from "../../model/metadata.ts";
import type { EntryRow, Row, StoredPayload } from "../../model/row.ts";
import type { Durability } from "../idb/transaction.ts";
import type { OutboxWrite, WriteState } from "../outbox/outbox-record.ts";

/** One transaction of a call takes at most this much: it blocks other tabs for less than 50 ms, unless the disk stalls. */
export const SLICE_WRITES = 256;
export const SLICE_BYTES = 2 * 1024 * 1024;

/** A row before its write has an id. */
export type NewRow<R> = R extends Row ? Omit<R, "key" | "writeId"> : never;

export interface CommitPolicy {
  /**
   * The version of the row: the next one after the replaced row, or after the version floor if there is no row. Or a given one: then the
   * row is written only if it is newer than the present one, see given-version.ts.
   */
  readonly version: "next" | number;
  /** A write that is not published has no outbox record. With `next`, it is published all the same if it replaces an unconfirmed row. */
  readonly isPublished: boolean;
  /** `relaxed` has an effect only while the write can be published at once: a queued one commits `strict`. */
  readonly durability: Durability;
  /**
   * Durable mode: the stream has the message of this write under this sequence. It is committed unless the key has a newer revision, or a
   * write that is not confirmed.
   */
  readonly revision?: number;
  /** Durable mode: the newest revision of the key that the writer of a pulled message had seen. Undefined: it does not tell. */
  readonly base?: number | undefined;
}

/** The policy of a row of another database. A flush follows the commit. */
export function imported(version: number): CommitPolicy {
  return { version, isPublished: false, durability: "relaxed" };
}

/** The policy of a write whose message the stream has. */
export function inStream(version: CommitPolicy["version"], revision: number): CommitPolicy {
  return { version, isPublished: false, durability: "relaxed", revision };
}

/** The policy of a write that its caller makes. */
export const PUBLISHED: CommitPolicy = { version: "next", isPublished: true, durability: "relaxed" };

/** A write before its commit. */
export interface Draft {
  readonly key: string;
  readonly operation: OutboxWrite["operation"];
  readonly policy: CommitPolicy;
  /** About how many bytes the write adds to the database. */
  readonly weight: number;
  /** The whole payload, uncompressed, for the memory cache; undefined for a delete. */
  readonly payload?: Payload;
  /** The text that is stored, as a JSON string, if that is known: the message needs it. Must be undefined if the message is encrypted. */
  readonly quoted?: string | undefined;
  /** The payload of the message, where it is not that of the row: the row is encrypted, the message is in plain text. */
  readonly message?: StoredPayload;
  /** The memory cache of the store that was called. */
  readonly writer?: Memory;
  /**
   * Makes the row that replaces `current`; undefined: the key stays as it is, and the draft is not committed. Runs inside the transaction
   * and must not wait.
   * @throws KeyStoreError to refuse the write, and all drafts of its call
   */
  next(current: EntryRow | undefined, version: number, now: number): NewRow<Row> | undefined;
}

/** A committed write. */
export interface Commit {
  readonly draft: Draft;
  readonly row: Row;
  readonly replaced: EntryRow | undefined;
  /** `sending`: this engine publishes it now. `queued`: the relay does. Undefined: it is not published. */
  readonly state: Exclude<WriteState, "rejected"> | undefined;
  readonly durability: Durability;
  readonly generation: string;
  /** Of a queued write: the write of its key that must be settled first. */
  readonly waitsFor: WriteId | undefined;
  readonly grew: Usage;
  /** `replaced` with its revision, if it was written in this browser and its writer's value is lost: the writer of the pulled message had not seen it. */
  readonly overruled: EntryRow | undefined;
}
