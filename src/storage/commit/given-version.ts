import { isDamagedRow, isTombstone, liveEntry, type EntryRow, type Row } from "../../model/row.ts";
import type { NewRow } from "./draft.ts";

/** The row of a key while a group is planned. */
interface Present {
  readonly row: NewRow<Row> | undefined;
  readonly unconfirmed: boolean;
}

/** Whether a row with a given version replaces the row in the slot: the higher version wins, then the later `updatedAt`. */
export function isNewer(row: NewRow<EntryRow>, { row: present, unconfirmed }: Present, now: number): boolean {
  // The message of an unconfirmed write is made from its row, and has not reached the server.
  if (unconfirmed) return false;
  const entry = liveEntry(present as Row | undefined, now);
  if (entry === undefined || isDamagedRow(entry)) return true;
  if (row.version !== entry.version) return row.version > entry.version;
  if (row.updatedAt !== entry.updatedAt) return row.updatedAt > entry.updatedAt;
  return isDamaged(entry, row);
}

/** Whether the payload of an entry differs from that of a sound copy. False where the two cannot be compared: one is a delete, or was encrypted again. */
export function isDamaged(entry: Partial<EntryRow>, copy: Partial<NewRow<EntryRow>>): boolean {
  const [a, b] = [entry.payload, copy.payload];
  if (a === undefined || b === undefined || entry.checksum !== copy.checksum || entry.encoding !== copy.encoding) return false;
  if (typeof a === "string" || typeof b === "string") return a !== b;
  return a.length !== b.length || a.some((byte, index) => byte !== b[index]);
}

/**
 * The greatest version that the key of a slot may have had. The next write of the key continues above it.
 * @param floor the version floor of the database
 */
export function lastVersion({ row }: Pick<Present, "row">, floor: number): number {
  if (row === undefined) return floor;
  // A damaged row may have lost its version, and has 0 in its place.
  const version = row.version || floor;
  const last = isTombstone(row as Row) ? version : Math.max(version, (row as EntryRow).floor ?? 0);
  // A damaged row may claim any version. With a greater one than a safe integer, the next row could not be read.
  return Math.min(last, Number.MAX_SAFE_INTEGER - 1);
}
