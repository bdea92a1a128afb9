import type { Payload } from "./metadata.ts";
import type { EntryRow } from "./row.ts";

/** Everything that can happen to an entry. */
export type Change = LocalChange | TabChange;

/** A change made in this page. Writes carry what the writer's memory keeps and what eviction counts. */
export type LocalChange =
  | ({ readonly source: "local" } & (
      | (Written & { readonly type: "store"; readonly entry: StoredEntry })
      | (Written & { readonly type: "delete" })
      | Marking
      | Removal
    ))
  | Received;

/** An import or a pull in this page has brought the entry or the delete. */
interface Received extends Omit<Written, "writer"> {
  readonly source: "remote";
  readonly type: "store" | "delete";
  readonly floor: number | undefined;
}

interface Written {
  readonly key: string;
  readonly version: number;
  readonly grew: Usage;
  /** The memory cache of the store that was called. It takes the entry; the caches of the page's other stores drop theirs. */
  readonly writer?: Memory | undefined;
}

/** The memory cache of a store, as far as a commit needs it. */
export interface Memory {
  /** Called when a transaction begins that writes these keys for the store. */
  beginCommit(keys: readonly string[]): void;
}

/** A change made by another tab. */
type TabChange = { readonly source: "tab" } & ToldChange;

/** A change as a tab announces it: its key and version, never the value. */
export type ToldChange =
  /** `floor`: see EntryRow. */
  | { readonly type: "store" | "delete"; readonly key: string; readonly version: number; readonly floor?: number | undefined }
  | Marking
  | Removal;

/** No write: the entry keeps its value and its version. It is stale from now on, or its expiry has changed. */
type Marking = { readonly type: "invalidate" | "touch"; readonly key: string; readonly version: number };

/** A removal that is no write: expired or evicted entries, or all of them but the unconfirmed ones. */
type Removal = { readonly type: "expire" | "evict"; readonly key: string } | { readonly type: "clear" };

export interface StoredEntry {
  readonly row: EntryRow;
  /** Whole and uncompressed. */
  readonly payload: Payload;
}

/** A number of entries, and the bytes of their payloads before compression. As a growth, negative where the database shrank. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

/** Whether a change may have changed the number of entries or their sizes. */
export function changesUsage({ type }: Pick<Change, "type">): boolean {
  return type !== "invalidate" && type !== "touch";
}
