import { randomId } from "../entry/random-id.ts";

/** The tables of a namespace's database, and how older ones become these. */
export const SCHEMA_VERSION = 3;

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META;

/** The key in META of the database's generation: an id that no other database, and no later one of this name, has. */
export const GENERATION = "generation";

/** What an entry takes on the disk beside its payload, about: key, metadata, indexes, outbox record. */
export const RECORD_BYTES = 512;

/** The index of ENTRIES by the keys of what lies in a record: one of an entry, many of a pack. */
export const UNDER = "under";

/**
 * Runs inside the upgrade's transaction. Must keep entries and outbox, whatever it does to the rest: what is not published
 * yet is in them.
 * - 1: entries with expiry and tags, outbox, generation
 * - 2: when an entry was used last, for eviction
 * - 3: many entries in one record, found by the index UNDER
 */
export function upgrade(database: IDBDatabase, transaction: IDBTransaction, from: number): void {
  if (from < 1) {
    const entries = database.createObjectStore(ENTRIES);
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    database.createObjectStore(OUTBOX);
    database.createObjectStore(META);
    transaction.objectStore(META).put(randomId(), GENERATION);
  }
  const entries = transaction.objectStore(ENTRIES);
  // Covers what eviction and the storage figures need, so that a key cursor does without payloads.
  if (from < 2) entries.createIndex("use", ["lastUsed", "size"]);
  if (from < 3) upgradeEntries(entries);
}

function upgradeEntries(entries: IDBObjectStore): void {
  entries.openCursor().onsuccess = ({ target }) => {
    const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
    if (cursor === null) {
      entries.createIndex(UNDER, UNDER, { multiEntry: true, unique: true });
      return;
    }
    const row = cursor.value as { updatedAt?: unknown; lastUsed?: unknown } | null | undefined;
    // What is no entry must not take the place of one.
    if (typeof cursor.key !== "string") cursor.delete();
    else if (typeof row === "object" && row !== null) {
      // A tombstone is never used.
      if (row.updatedAt !== undefined) row.lastUsed ??= row.updatedAt;
      cursor.update({ ...row, [UNDER]: cursor.key });
    }
    cursor.continue();
  };
}
