import type { KeyFormat, KeyMetadata, Payload } from "../model/metadata.ts";
import { expiredForMs } from "../model/kept-row.ts";
import { compilePattern, type Pattern } from "../model/pattern.ts";
import { isDamagedRow, isTombstone, type EntryRow } from "../model/row.ts";
import type { ListOptions } from "../options/types.ts";
import type { Committer } from "../storage/commit/committer.ts";
import { find } from "../storage/entries/find.ts";
import { listKeys } from "../storage/entries/listing.ts";
import { listPage } from "../storage/entries/scan.ts";
import { measureLiving } from "../storage/entries/usage.ts";
import type { Database } from "../storage/idb/database.ts";
import { storageEstimate } from "../storage/idb/full-disk.ts";
import { readRevision, revisionOf } from "../storage/entries/revisions.ts";
import { ENTRIES, OUTBOX, REVISIONS, STALE } from "../storage/idb/schema.ts";
import type { WriteState } from "../storage/outbox/outbox-record.ts";
import type { Clock } from "../util/clock.ts";
import { KeyStoreError } from "../util/errors.ts";
import type { ExpiredKeys } from "./expired-keys.ts";
import type { Reader } from "./reader.ts";
import type { Staleness } from "./staleness.ts";

/** The figures of a namespace in IndexedDB, and the browser's report on the site's storage. */
export interface StorageStats {
  readonly entries: number;
  /** Of the payloads, before compression. */
  readonly bytes: number;
  readonly pendingWrites: number;
  readonly rejectedWrites: number;
  readonly quotaBytes?: number;
  readonly usageBytes?: number;
}

export interface CatalogPorts {
  readonly clock: Clock;
  /** The payload of a row. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED */
  readonly payloadOf: (key: string, row: EntryRow) => Promise<Payload>;
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "caughtUp" | "stateOf">;
  readonly isDurable: boolean;
  /** Resolves when earlier writes of these keys, or of every key, are committed or have failed. */
  readonly writesCommitted: (keys?: readonly string[]) => Promise<void>;
  /** Counts the keys with a queued and with a rejected write. */
  readonly countWrites: () => Promise<{ pending: number; rejected: number }>;
  readonly reader: Pick<Reader, "live" | "readRow" | "decodeRow">;
  readonly expired: Pick<ExpiredKeys, "add" | "timeFor">;
  readonly staleness: Pick<Staleness, "isStaleRow">;
}

/** Answers questions about entries without decoding their values: keys, metadata, sizes. */
export class Catalog {
  readonly #ports: CatalogPorts;

  constructor(ports: CatalogPorts) {
    this.#ports = ports;
  }

  /** @throws KeyStoreError CHECKSUM_MISMATCH when the row is damaged so that it has no metadata */
  async metadata(key: string): Promise<KeyMetadata | undefined> {
    await this.#ports.writesCommitted([key]);
    const found = await this.find(key);
    if (found !== undefined && isDamagedRow(found.row)) await this.#ports.reader.decodeRow(key, found.row);
    return found?.metadata;
  }

  /** The row and the metadata of an entry that has not expired. Waits for no write. */
  async find(key: string): Promise<{ readonly row: EntryRow; readonly metadata: KeyMetadata } | undefined> {
    const { committer, database, isDurable, reader, staleness } = this.#ports;
    // The revisions of own writes are recorded a moment after their confirmation.
    if (isDurable) await committer.caughtUp();
    const { row, state, isStale, revision } = await database.run([ENTRIES, OUTBOX, STALE, REVISIONS], "readonly", async (transaction) => {
      const found = (await find(transaction, [key])).rows.get(key);
      if (found === undefined) return {};
      const [stateNow, isStaleNow, known] = await Promise.all([
        committer.stateOf(transaction, found.writeId),
        staleness.isStaleRow(transaction, key, found),
        readRevision(transaction, key),
      ]);
      return { row: found, state: stateNow, isStale: isStaleNow, revision: revisionOf(found, known) };
    });
    const live = reader.live(key, row);
    return live && { row: live, metadata: metadataOf(key, live, state, isStale, revision) };
  }

  /** The entry of a key that expired at most so long ago, if it was stored to be kept. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED */
  async readExpired(key: string, withinMs: number): Promise<Pick<EntryRow, "payload" | "format"> | undefined> {
    const { clock, database, payloadOf } = this.#ports;
    const row = (await database.run([ENTRIES], "readonly", (transaction) => find(transaction, [key]))).rows.get(key);
    if (row === undefined || isTombstone(row) || (expiredForMs(row, clock.now()) ?? Infinity) > withinMs) return undefined;
    return { payload: await payloadOf(key, row), format: row.format };
  }

  /** The format in which a key is stored; undefined when it is absent or damaged. */
  async formatOf(key: string): Promise<KeyFormat | undefined> {
    const row = await this.#ports.reader.readRow(key);
    return row === undefined || isDamagedRow(row) ? undefined : row.format;
  }

  /** The keys of live entries that match a pattern, sorted by code unit. @throws KeyStoreError INVALID_OPTION where the pattern is not a string */
  async listKeys(pattern: string, { tag, ...page }: ListOptions): Promise<string[]> {
    patternOf(pattern);
    await this.#ports.writesCommitted();
    return this.livingKeys(pattern, tag, page);
  }

  /** Like `listKeys`, without waiting for writes. */
  async livingKeys(pattern: string, tag: string | undefined, { after, limit }: ListOptions = {}): Promise<string[]> {
    const { clock, database, expired } = this.#ports;
    const { prefix, matches } = patternOf(pattern);
    const now = clock.now();
    const accepts = (key: string): boolean => expired.timeFor(key, now) === now && matches(key);
    const listed =
      limit === undefined
        ? await listKeys(database, now, prefix, tag)
        : await listPage(database, now, { prefix, tag, after }, limit, accepts);
    expired.add(listed.expired, now);
    return listed.living.filter((key) => accepts(key) && (after === undefined || key > after));
  }

  async storageStats(): Promise<StorageStats> {
    const { clock, countWrites, database, writesCommitted } = this.#ports;
    await writesCommitted();
    const [{ entries, bytes }, { pending, rejected }, { quota, usage }] = await Promise.all([
      measureLiving(database, clock.now()),
      countWrites(),
      storageEstimate(clock),
    ]);
    return {
      entries,
      bytes,
      pendingWrites: pending,
      rejectedWrites: rejected,
      ...(quota === undefined ? undefined : { quotaBytes: quota }),
      ...(usage === undefined ? undefined : { usageBytes: usage }),
    };
  }
}

/** @throws KeyStoreError INVALID_OPTION where the pattern is not a string */
export function patternOf(pattern: unknown): Pattern {
  if (typeof pattern === "string") return compilePattern(pattern);
  throw new KeyStoreError("INVALID_OPTION", "The pattern must be a string.", { option: "pattern" });
}

export function metadataOf(key: string, row: EntryRow, state: WriteState | undefined, stale = false, revision?: number): KeyMetadata {
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
    pending: state === "sending" || state === "queued",
    rejected: state === "rejected",
    stale,
    encrypted: row.encryption !== undefined,
    ...(revision === undefined ? undefined : { revision }),
  };
}
