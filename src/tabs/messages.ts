import type { Change, ToldChange } from "../model/change.ts";

/** The messages between tabs. They never contain a value. Any change here needs the next PROTOCOL number, see channel.ts. */
export type TabMessage =
  /** A page now holds its liveness lock. */
  | { readonly type: "hello"; readonly pageId: string }
  /** The stores of a page have changed entries. */
  | { readonly type: "changes"; readonly pageId: string; readonly changes: readonly ToldChange[] }
  /** A page has published writes, or failed to. */
  | ({ readonly type: "settled" } & SettledWrites)
  /** A page begins to invalidate these entries. Marks alone do not tell of absent entries, which a tab may be loading. */
  | { readonly type: "invalidating"; readonly pattern: string; readonly tag: string | undefined }
  /** In place of a message of another protocol version: anything may have happened. */
  | { readonly type: "foreign" };

/** Writes that have left the outbox (confirmed), or that any tab may try again. */
export interface SettledWrites {
  readonly writes: readonly { readonly key: string; readonly version: number }[];
  readonly confirmed: boolean;
}

/** The changes that this page has made itself, as it announces them to other tabs. */
export function toldChanges(changes: readonly Change[]): ToldChange[] {
  return changes.flatMap((change): ToldChange[] => {
    if (change.source === "tab") return [];
    if ("floor" in change) return [{ type: change.type, key: change.key, version: change.version, floor: change.floor }];
    if ("version" in change) return [{ type: change.type, key: change.key, version: change.version }];
    return change.type === "clear" ? [{ type: "clear" }] : [{ type: change.type, key: change.key }];
  });
}
