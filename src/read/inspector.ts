import { compilePattern } from "../model/pattern.ts";
import type { KeyFormat, KeyMetadata } from "../model/metadata.ts";
import { isDamagedRow, type EntryRow } from "../model/row.ts";
import type { Reader } from "./reader.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { listKeys, measureLiving } from "../storage/entries/entry-index.ts";
import { find } from "../storage/entries/entry-table.ts";
import { storageEstimate } from "../storage/idb/full-disk.ts";
import { countWrites, pendingWrites, type PendingWrite } from "../storage/outbox/pending-writes.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";

/** What IndexedDB holds of a namespace, and what the browser says of the site's storage. */
export interface StorageStats {
  readonly entries: number;
  /** Of the payloads, before compression. */
  readonly bytes: number;
  readonly pendingWrites: number;
  readonly rejectedWrites: number;
  readonly quotaBytes?: number;
  readonly usageBytes?: number;
}

/** What a store can tell of what it holds, without the values. */
export class Inspector {
  readonly #database: Database;
  readonly #committer: Committer;
  readonly #reader: Reader;

  constructor(database: Database, committer: Committer, reader: Reader) {
    this.#database = database;
    this.#committer = committer;
    this.#reader = reader;
  }

  /** @throws KeyStoreError CHECKSUM_MISMATCH when nothing can be told */
  async metadata(key: string): Promise<KeyMetadata | undefined> {
    const [row, state] = await this.#database.run([ENTRIES, OUTBOX], "readonly", async (transaction) => {
      const found = (await find(transaction, [key])).rows.get(key);
      return [found, found && (await this.#committer.stateOf(transaction, found.writeId))] as const;
    });
    const entry = this.#reader.living(key, row);
    if (entry === undefined) return undefined;
    // As a read of it would: throws, with the event.
    if (isDamagedRow(entry)) await this.#reader.open(key, entry);
    return metadataOf(key, entry, state !== undefined);
  }

  /** The format a key is stored in; undefined where there is none, or nothing that makes sense. */
  async formatOf(key: string): Promise<KeyFormat | undefined> {
    const entry = await this.#reader.entry(key);
    return entry === undefined || isDamagedRow(entry) ? undefined : entry.format;
  }

  /** The keys that match a pattern and live, sorted by code unit. */
  async listKeys(pattern: string, tag: string | undefined): Promise<string[]> {
    const { prefix, matches } = compilePattern(pattern);
    const now = Date.now();
    const { living, expired } = await listKeys(this.#database, now, prefix, tag);
    this.#reader.bury(expired, now);
    return living.filter((key) => !this.#reader.isBuried(key, now) && matches(key));
  }

  async storageStats(): Promise<StorageStats> {
    const [{ entries, bytes }, writes, estimate] = await Promise.all([
      measureLiving(this.#database, Date.now()),
      this.pendingWrites(),
      storageEstimate(),
    ]);
    const { pending, rejected } = countWrites(writes);
    return {
      entries,
      bytes,
      pendingWrites: pending,
      rejectedWrites: rejected,
      ...(estimate.quota === undefined ? undefined : { quotaBytes: estimate.quota }),
      ...(estimate.usage === undefined ? undefined : { usageBytes: estimate.usage }),
    };
  }

  async pendingWrites(): Promise<PendingWrite[]> {
    await this.#committer.caughtUp();
    return this.#database.run([OUTBOX], "readonly", pendingWrites);
  }
}

/** What a row says of its entry, in the public names and types. */
export function metadataOf(key: string, row: EntryRow, pending: boolean): KeyMetadata {
  return {
    key,
    format: row.format,
    size: row.size,
    version: row.version,
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt),
    ttl: row.ttl,
    expiresAt: row.expiresAt === undefined ? null : new Date(row.expiresAt),
    tags: [...(row.tags ?? [])],
    checksum: row.checksum,
    pending,
    stale: false,
    encrypted: false,
  };
}
