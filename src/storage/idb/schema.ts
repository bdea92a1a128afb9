import { randomId } from "../../util/random-id.ts";

/** The name of a namespace's database. */
export function databaseName(namespace: string): string {
  return `nas-keystore/${namespace}`;
}

export const ENTRIES = "entries";
export const OUTBOX = "outbox";
export const META = "meta";
export const STALE = "stale";
export const REVISIONS = "revisions";
export type Table = typeof ENTRIES | typeof OUTBOX | typeof META | typeof STALE | typeof REVISIONS;

/** The key in META of the database's generation: an id that no other database has, and no later database of this name. */
export const GENERATION = "generation";

/** The key in META of what durable mode remembers of its pulls. */
export const PULLED = "pulled";

/** About how many bytes an entry takes on the disk in addition to its payload: key, metadata, indexes, outbox record. */
export const RECORD_BYTES = 512;

/** Upgrades a database by one version, inside the upgrade's transaction. Must keep every entry and the outbox. */
export type Upgrade = (database: IDBDatabase, transaction: IDBTransaction) => void;

/** The first step creates version 1. A change of the tables appends a step. A released step never changes. */
export const UPGRADES: readonly Upgrade[] = [
  (database, transaction) => {
    const entries = database.createObjectStore(ENTRIES);
    entries.createIndex("expiresAt", "expiresAt");
    entries.createIndex("tags", "tags", { multiEntry: true });
    // A key cursor of this index gives eviction, clearing and the storage figures all they need, without the payloads.
    entries.createIndex("use", ["lastUsed", "size", "version"]);
    // The keys of the entries in a record.
    entries.createIndex("keys", "keys", { multiEntry: true, unique: true });
    database.createObjectStore(OUTBOX);
    database.createObjectStore(STALE);
    database.createObjectStore(REVISIONS);
    database.createObjectStore(META);
    transaction.objectStore(META).put(randomId(), GENERATION);
  },
];
