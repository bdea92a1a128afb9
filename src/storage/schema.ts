import { randomId } from "../entry/random-id.ts";

/** The tables of a namespace's database, and how older ones become these. */
export const SCHEMA_VERSION = 1;

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META;

/** The key in META of the database's generation: an id that no other database, and no later one of this name, has. */
export const GENERATION = "generation";

/** Runs inside the upgrade's transaction. Must keep entries and outbox whatever it does to the rest. */
export function upgrade(database: IDBDatabase, transaction: IDBTransaction, from: number): void {
  if (from < 1) {
    const entries = database.createObjectStore(ENTRIES);
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    // Covers what eviction and the storage figures need, so that a key cursor does without payloads.
    entries.createIndex("use", ["lastUsed", "size"]);
    database.createObjectStore(OUTBOX);
    database.createObjectStore(META);
    transaction.objectStore(META).put(randomId(), GENERATION);
  }
}
