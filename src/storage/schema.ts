import { randomId } from "../entry/random-id.ts";

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META;

/** The key in META of the database's generation: an id that no other database, and no later one of this name, has. */
export const GENERATION = "generation";

/** What an entry takes on the disk beside its payload, about: key, metadata, indexes, outbox record. */
export const RECORD_BYTES = 512;

/** The index of ENTRIES by the keys of the entries in a record: one of an entry, many of a pack. */
export const UNDER = "under";

/** Brings a database from the version before to the next, inside the upgrade's transaction. Must keep every entry and the outbox. */
export type Upgrade = (database: IDBDatabase, transaction: IDBTransaction) => void;

/** The first makes version 1 of a new database. A change of the tables appends one; those of released versions stay as they are. */
export const UPGRADES: readonly Upgrade[] = [
  (database, transaction) => {
    const entries = database.createObjectStore(ENTRIES);
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    // Covers what eviction and the storage figures need, so that a key cursor does without payloads.
    entries.createIndex("use", ["lastUsed", "size"]);
    entries.createIndex(UNDER, UNDER, { multiEntry: true, unique: true });
    database.createObjectStore(OUTBOX);
    database.createObjectStore(META);
    transaction.objectStore(META).put(randomId(), GENERATION);
  },
];
