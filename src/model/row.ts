import { isCount } from "../util/count.ts";
import { KeyFormat, type Payload, type WriteId } from "./metadata.ts";

/** The record of an entry as IndexedDB holds it, under its key. Times are milliseconds since the epoch. */
export interface EntryRow {
  /** The key under which the entry was stored. A row under another key is damaged. */
  readonly key?: string;
  readonly format: KeyFormat;
  /** Gzipped bytes where `encoding` says so. */
  readonly payload: Payload;
  readonly encoding?: "gzip";
  /** SHA-256 of the payload as it lies here; only where that is not `checksum` itself. */
  readonly storedChecksum?: string;
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
  readonly key?: string;
  readonly deletedAt: number;
  readonly version: number;
  readonly expiresAt: typeof LONG_AGO;
  readonly writeId: WriteId;
}

export type Row = EntryRow | Tombstone;

/** The expiry of what no clock may bring back: a tombstone, and an expired entry that still waits to be published. */
export const LONG_AGO = 0;

/**
 * What the database gave, if it is a row at all: it may be damaged, or written by whoever got to run code in the page.
 * Anything else becomes an entry that never passes its check, and is replaced or deleted like any other.
 * @param key what it lies under
 */
export function asRow(value: unknown, key: string): Row | undefined {
  if (value === undefined || (isRow(value) && (value.key === undefined || value.key === key))) return value;
  const { version } = Object(value) as Partial<Row>;
  return { ...DAMAGED, version: isCount(version) ? version : 0 };
}

/** Whether a row is what `asRow` makes of something else. */
export function isDamagedRow(row: Row): boolean {
  return "size" in row && row.size === DAMAGED.size;
}

/** Nobody asks one that never passes its check for more. */
const DAMAGED = { payload: "", checksum: "", size: -1, writeId: ["", 0] } as unknown as EntryRow;

export function isTombstone(row: Row): row is Tombstone {
  return (row as Partial<Tombstone>).deletedAt !== undefined;
}

/** The entry that every operation sees at `now`: none when deleted or expired. */
export function liveEntry(row: Row | undefined, now: number): EntryRow | undefined {
  if (row === undefined || isTombstone(row) || isExpired(row, now)) return undefined;
  return row;
}

export function isExpired(row: Row, now: number): boolean {
  return row.expiresAt !== undefined && row.expiresAt <= now;
}

export function isWriteId(value: unknown): value is WriteId {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && isCount(value[1]);
}

function isRow(value: unknown): value is Row {
  if (typeof value !== "object" || value === null) return false;
  const row = value as Record<keyof EntryRow | keyof Tombstone, unknown>;
  const { writeId } = row;
  if (!isWriteId(writeId) || !isCount(row.version)) return false;
  if (row.deletedAt !== undefined) return isTime(row.deletedAt) && row.expiresAt === LONG_AGO;
  return (
    FORMATS.includes(row.format) &&
    (typeof row.payload === "string" || row.payload instanceof Uint8Array) &&
    (row.encoding === undefined || row.encoding === "gzip") &&
    typeof row.checksum === "string" &&
    isCount(row.size) &&
    isTime(row.createdAt) &&
    isTime(row.updatedAt) &&
    (row.ttl === null || typeof row.ttl === "number") &&
    (row.expiresAt === undefined || isTime(row.expiresAt)) &&
    (row.tags === undefined || (Array.isArray(row.tags) && row.tags.every((tag) => typeof tag === "string"))) &&
    typeof row.lastUsed === "number"
  );
}

const FORMATS: readonly unknown[] = Object.values(KeyFormat);

/** What a Date can hold. */
function isTime(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}
