import { randomId } from "../entry/random-id.ts";

/** The tables of a namespace's database, and how older ones become these. */
export const SCHEMA_VERSION = 2;

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META;

/** The key in META of the database's generation: an id that no other database, and no later one of this name, has. */
export const GENERATION = "generation";

/**
 * Runs inside the upgrade's transaction. Must keep entries and outbox, whatever it does to the rest: what is not published
 * yet is in them.
 * - 1: entries with expiry and tags, outbox, generation
 * - 2: when an entry was used last, for eviction
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
  if (from < 2) {
    const entries = transaction.objectStore(ENTRIES);
    // Covers what eviction and the storage figures need, so that a key cursor does without payloads.
    entries.createIndex("use", ["lastUsed", "size"]);
    entries.openCursor().onsuccess = ({ target }) => {
      const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
      if (cursor === null) return;
      const row = cursor.value as { updatedAt?: number };
      // A tombstone is never used.
      if (row.updatedAt !== undefined) cursor.update({ ...row, lastUsed: row.updatedAt });
      cursor.continue();
    };
  }
}
