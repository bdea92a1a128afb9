import { LONG_AGO, type EntryRow } from "../model/row.ts";
import { PUBLISHED, type Draft, type NewRow } from "../storage/commit/draft.ts";
import { entryRow } from "./rows.ts";

/** A draft that stores a JSON text. */
export function storeDraft(key: string, payload = '"value"', given: Partial<EntryRow> = {}): Draft {
  return {
    key,
    operation: "store",
    policy: PUBLISHED,
    weight: payload.length,
    payload,
    next: (_, version, now) => {
      const row: Partial<EntryRow> = entryRow({ payload, version, createdAt: now, updatedAt: now, ...given });
      // The commit gives it an id.
      delete (row as { writeId?: unknown }).writeId;
      return row as NewRow<EntryRow>;
    },
  };
}

export function deleteDraft(key: string): Draft {
  return {
    key,
    operation: "delete",
    policy: PUBLISHED,
    weight: 0,
    next: (_, version, now) => ({ deletedAt: now, version, expiresAt: LONG_AGO }),
  };
}

/** A draft that refuses. */
export function refusal(key: string, error = new Error("refused")): Draft {
  return {
    key,
    operation: "store",
    policy: PUBLISHED,
    weight: 1,
    next: () => {
      throw error;
    },
  };
}
