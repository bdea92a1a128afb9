import type { Growth } from "../model/change.ts";
import type { ChangeReceiver } from "./change-feed.ts";

/** The size of the database. */
export interface UsageCount {
  grew(by: Growth): void;
  forgetCount(): void;
}

/**
 * Keeps the count of a limited database up with changes. Changes of other tabs and a clear are not counted: the database is
 * measured again. This store's own removals are counted when their transactions are complete, which is later than their change.
 */
export function countChanges(count: UsageCount): ChangeReceiver {
  return (changes) => {
    let entries = 0;
    let bytes = 0;
    let hasWritten = false;
    let isUncounted = false;
    for (const change of changes) {
      if (change.source === "tab" || change.type === "clear") isUncounted = true;
      else if ("grew" in change) {
        hasWritten = true;
        entries += change.grew.entries;
        bytes += change.grew.bytes;
      }
    }
    if (isUncounted) count.forgetCount();
    if (hasWritten) count.grew({ entries, bytes });
  };
}
