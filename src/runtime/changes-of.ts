import type { LocalChange } from "../model/change.ts";
import { isTombstone, type EntryRow } from "../model/row.ts";
import type { Commit } from "../storage/commit/draft.ts";

/** The changes that commits have made, for every receiver. */
export function changesOf(commits: readonly Commit[]): LocalChange[] {
  return commits.filter(isSeen).map(changeOf);
}

/** A pulled delete of an absent key changes nothing. */
function isSeen({ draft: { operation, policy }, replaced, grew }: Commit): boolean {
  return operation === "store" || policy.revision === undefined || replaced !== undefined || grew.entries !== 0;
}

function changeOf({ draft: { key, operation, payload, policy, writer }, row, grew }: Commit): LocalChange {
  const { version } = row;
  if (writer === undefined && !policy.isPublished) {
    return { source: "remote", type: operation, key, version, floor: (row as Partial<EntryRow>).floor, grew };
  }
  const written = { source: "local", key, version, grew, writer } as const;
  if (payload === undefined || isTombstone(row)) return { ...written, type: "delete" };
  return { ...written, type: "store", entry: { row, payload } };
}
