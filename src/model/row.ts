import { isCount } from "../util/count.ts";
import { FORMATS, type KeyFormat, type Payload, type WriteId } from "./metadata.ts";

/** A payload as IndexedDB holds it: the result of the value pipeline. */
export interface StoredPayload {
  readonly format: KeyFormat;
  readonly payload: Payload;
  /** How the payload is compressed. Absent: not at all. */
  readonly encoding?: "gzip";
  /** SHA-256 of `payload`. Absent where it is `checksum`. */
  readonly storedChecksum?: string;
  /** How the payload is encrypted, after compression. Absent: not at all. */
  readonly encryption?: RowEncryption;
  /** SHA-256 of the payload before compression; of an encrypted payload: of the ciphertext, which is what is stored. */
  readonly checksum: string;
  /** Bytes of the payload before compression. */
  readonly size: number;
}

/** AES-GCM. Nothing here is secret. */
export interface RowEncryption {
  /** Names the key: see values/key-ring.ts. */
  readonly keyId: string;
  /** 12 random bytes in base64. */
  readonly nonce: string;
  /** The write is published as ciphertext. Otherwise it is decrypted to be published. */
  readonly messages: boolean;
}

/** The row of an entry. Times are milliseconds since the epoch. */
export interface EntryRow extends StoredPayload {
  /** The key under which the entry was stored. A row under another key is damaged. */
  readonly key?: string;
  readonly version: number;
  /** Of an imported entry: the key has had versions up to this one here, which is greater than `version`. At most the version floor. */
  readonly floor?: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly ttl: number | null;
  /** When the entry expires, or a mark: see `AFTER_MARKS`. */
  readonly expiresAt?: number;
  /** For how long the row stays after the entry has expired: see kept-row.ts. */
  readonly keepMs?: number;
  readonly tags?: readonly string[];
  readonly writeId: WriteId;
  /** Of a migrated value: the write of the value that it was made of. A stale mark of that one counts for this row too. */
  readonly madeOf?: WriteId;
  readonly lastUsed: number;
  // `asRow` does not check the next two: who reads them does.
  /** Durable mode: the stream sequence of the message that the row came from. Absent in a row that was published afterwards. */
  readonly revision?: number;
  /** Durable mode: the newest revision of the key that this browser had seen when it wrote the row. Absent in a row that came from the stream. */
  readonly base?: number;
}

/** Stored in place of a deleted entry until the delete is confirmed. */
export interface Tombstone {
  readonly key?: string;
  readonly deletedAt: number;
  readonly version: number;
  readonly expiresAt: typeof LONG_AGO;
  readonly writeId: WriteId;
  /** As of an entry. */
  readonly base?: number;
}

export type Row = EntryRow | Tombstone;

/** The expiry of rows that no clock may revive: tombstones, and expired entries that are not confirmed. The first time of a Date. */
export const LONG_AGO = -8.64e15;

/** Above the expiry of every row that is marked as expired (LONG_AGO, and those of kept-row.ts), and below every time of a clock. */
export const AFTER_MARKS = -4e15;

/**
 * A value from the database as a row. The value may be damaged, or written by code that an attacker ran in the page. If it is
 * not a row of this key, it becomes a damaged row: an entry whose checksum never matches, and that is replaced or deleted like
 * any other.
 * @param key the key of the record
 */
export function asRow(value: unknown, key: string): Row | undefined {
  if (value === undefined || (isRow(value) && (value.key === undefined || value.key === key))) return value;
  const { version } = Object(value) as Partial<Row>;
  return { ...DAMAGED, version: isCount(version) ? version : 0 };
}

/** Whether `asRow` made the row from a value that is not a row. */
export function isDamagedRow(row: Row): boolean {
  return "size" in row && row.size === DAMAGED.size;
}

/** The other fields are never read, since the checksum never matches. */
const DAMAGED = { payload: "", checksum: "", size: -1, writeId: ["", 0] } as unknown as EntryRow;

export function isTombstone(row: Row): row is Tombstone {
  return (row as Partial<Tombstone>).deletedAt !== undefined;
}

/** The entry of a row at `now`; undefined if it is deleted or has expired. */
export function liveEntry(row: Row | undefined, now: number): EntryRow | undefined {
  if (row === undefined || isTombstone(row) || isExpired(row, now)) return undefined;
  return row;
}

export function isExpired(row: { readonly expiresAt?: number | undefined }, now: number): boolean {
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
    (row.floor === undefined || isCount(row.floor)) &&
    isTime(row.createdAt) &&
    isTime(row.updatedAt) &&
    (row.ttl === null || typeof row.ttl === "number") &&
    (row.expiresAt === undefined || isTime(row.expiresAt)) &&
    (row.tags === undefined || (Array.isArray(row.tags) && row.tags.every((tag) => typeof tag === "string"))) &&
    typeof row.lastUsed === "number"
  );
}

/** Whether a number is in the range of a Date. */
function isTime(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}
