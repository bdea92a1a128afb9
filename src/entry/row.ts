import type { KeyFormat, KeyMetadata, Payload, WriteId } from "./metadata.ts";

/** The record of an entry as IndexedDB holds it, under its key. Times are milliseconds since the epoch. */
export interface EntryRow {
  readonly format: KeyFormat;
  /** Gzipped bytes where `encoding` says so. */
  readonly payload: Payload;
  readonly encoding?: "gzip";
  /** SHA-256 of the payload as it lies here; only where that is not `checksum` itself. */
  readonly packedChecksum?: string;
  readonly checksum: string;
  readonly size: number;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly ttl: number | null;
  readonly expiresAt?: number;
  readonly tags?: readonly string[];
  readonly writeId: WriteId;
  readonly lastUsed: number;
}

/** What stands in an entry's place from its delete until the server has confirmed that. */
export interface Tombstone {
  readonly deletedAt: number;
  readonly version: number;
  readonly expiresAt: typeof LONG_AGO;
  readonly writeId: WriteId;
}

export type Row = EntryRow | Tombstone;

/** The expiry of what no clock may bring back: a tombstone, and an expired entry that still waits to be published. */
export const LONG_AGO = 0;

export function isTombstone(row: Row): row is Tombstone {
  return "deletedAt" in row;
}

/** The entry that every operation sees at `now`: none when deleted or expired. */
export function liveEntry(row: Row | undefined, now: number): EntryRow | undefined {
  if (row === undefined || isTombstone(row) || isExpired(row, now)) return undefined;
  return row;
}

export function isExpired(row: Row, now: number): boolean {
  return row.expiresAt !== undefined && row.expiresAt <= now;
}

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
  };
}
