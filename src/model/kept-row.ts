import { AFTER_MARKS, LONG_AGO, type EntryRow } from "./row.ts";

/*
 * A row with `keepMs` stays for so long after its entry has expired: `retrieveOrStore` may still return it (staleWhileRevalidate).
 * Every other operation finds no entry. Once the expiry has been found, `expiresAt` becomes a mark: LONG_AGO plus the time until which
 * the row stays. So the index `expiresAt` has the rows whose time has come in one range, and no clock revives an entry.
 */

/** The longest `staleWhileRevalidate`. */
const MAX_KEEP_MS = 1e15;

/** The mark of an expired row; LONG_AGO: nothing keeps the row. */
export function markOf(row: EntryRow, now: number): number {
  const until = keptUntil(row);
  // A mark of a time before 1970 would be no time of a Date.
  return until > Math.max(0, now) ? LONG_AGO + until : LONG_AGO;
}

/** For how many milliseconds an entry has been expired; undefined: it has not, or its row is not kept. */
export function expiredForMs(row: EntryRow, now: number): number | undefined {
  const { expiresAt = LONG_AGO } = row;
  const keepMs = keepMsOf(row);
  if (keepMs === 0 || expiresAt === LONG_AGO || expiresAt > now) return undefined;
  return Math.max(0, now - (keptUntil(row) - keepMs));
}

function keptUntil(row: EntryRow): number {
  const { expiresAt = LONG_AGO } = row;
  return expiresAt > AFTER_MARKS ? expiresAt + keepMsOf(row) : expiresAt - LONG_AGO;
}

/** A damaged row may have anything. With a longer time, a mark would be no mark. */
function keepMsOf({ keepMs }: EntryRow): number {
  return typeof keepMs === "number" && keepMs > 0 && keepMs <= MAX_KEEP_MS ? keepMs : 0;
}
