import { randomId } from "../../util/random-id.ts";

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META;

/** The key in META of the database's generation: an id that no other database, and no later one of this name, has. */
export const GENERATION = "generation";

/** About how many bytes an entry takes on the disk in addition to its payload: key, metadata, indexes, outbox record. */
export const RECORD_BYTES = 512;

/** The index of ENTRIES by the keys of the entries in a record: one of an entry, many of a block. */
export const UNDER = "under";

/** Upgrades a database by one version, inside the upgrade's transaction. Must keep every entry and the outbox. */
export type Upgrade = (database: IDBDatabase, transaction: IDBTransaction) => void;

/** The first step makes version 1. A change of the tables appends a step. Steps of released versions never change. */
export const UPGRADES: readonly Upgrade[] = [
  (database, transaction) => {
    const entries = database.createObjectStore(ENTRIES);
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    // Holds all that eviction and the storage figures need: a key cursor reads it without the payloads.
    entries.createIndex("use", ["lastUsed", "size"]);
    entries.createIndex(UNDER, UNDER, { multiEntry: true, unique: true });
    database.createObjectStore(OUTBOX);
    database.createObjectStore(META);
    transaction.objectStore(META).put(randomId(), GENERATION);
  },
];
