import { LONG_AGO, type EntryRow } from "../model/row.ts";
import type { Draft, NewRow } from "../storage/commit/commit-group.ts";
import { entryRow } from "./rows.ts";

/** A draft that stores a JSON text. */
export function storeDraft(key: string, payload = '"value"', given: Partial<EntryRow> = {}): Draft {
  return {
    key,
    operation: "store",
    weight: payload.length,
    payload,
    next: (_, version, now) => {
      const row: Partial<EntryRow> = entryRow({ payload, version, createdAt: now, updatedAt: now, ...given });
      // Its id comes with the commit.
      delete (row as { writeId?: unknown }).writeId;
      return row as NewRow<EntryRow>;
    },
  };
}

export function deleteDraft(key: string): Draft {
  return { key, operation: "delete", weight: 0, next: (_, version, now) => ({ deletedAt: now, version, expiresAt: LONG_AGO }) };
}

/** A draft that refuses. */
export function refusal(key: string, error = new Error("refused")): Draft {
  return {
    key,
    operation: "store",
    weight: 1,
    next: () => {
      throw error;
    },
  };
}
