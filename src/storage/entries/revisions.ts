import { promisifyRequest } from "idb-keyval";

import type { WriteId } from "../../model/metadata.ts";
import { isWriteId, type EntryRow, type Row } from "../../model/row.ts";
import { isCount } from "../../util/count.ts";
import { REVISIONS } from "../idb/schema.ts";

/*
 * The table of revisions, in durable mode: under a key, the stream sequence of a message of this browser, and the write id of its row. So a
 * confirmed write does not write its row again. A pulled delete leaves its revision here without a write id: it has no row. Rows that
 * came from the stream have their revision themselves. Every function works in an open transaction.
 */

/** What the table has under a key. */
export interface KnownRevision {
  readonly revision: number;
  /** Undefined: of a delete. */
  readonly writeId: WriteId | undefined;
}

export async function readRevision(transaction: IDBTransaction, key: string): Promise<KnownRevision | undefined> {
  const found: unknown = await promisifyRequest(transaction.objectStore(REVISIONS).get(key));
  const [revision, ...writeId] = Array.isArray(found) ? (found as unknown[]) : [];
  return isCount(revision) ? { revision, writeId: isWriteId(writeId) ? writeId : undefined } : undefined;
}

/** Whether the table is empty, as in a new database. */
export async function hasNoRevisions(transaction: IDBTransaction): Promise<boolean> {
  return (await promisifyRequest(transaction.objectStore(REVISIONS).count())) === 0;
}

export function noteRevision(transaction: IDBTransaction, key: string, revision: number, writeId: WriteId | undefined): void {
  transaction.objectStore(REVISIONS).put([revision, ...(writeId ?? [])], key);
}

/** The revision of a row; undefined: the stream is not known to have it. */
export function revisionOf(row: Row, known: KnownRevision | undefined): number | undefined {
  return isOwn(row, known) ? known.revision : countIn(row, "revision");
}

/** Whether the row was written in this browser, and its message is in the stream. */
export function isOwn({ writeId }: Pick<Row, "writeId">, known: KnownRevision | undefined): known is KnownRevision {
  return known?.writeId?.every((part, index) => part === writeId[index]) === true;
}

/** The newest revision of a key that this browser knows. */
export function lastRevision(row: Row | undefined, known: KnownRevision | undefined): number {
  return Math.max(countIn(row, "revision") ?? 0, known?.revision ?? 0);
}

/** The newest revision of a key that the writer of its row had seen. Not those of own writes: others may have written before them. */
export function seenRevision(row: Partial<EntryRow> | undefined): number | undefined {
  return countIn(row, "revision") ?? countIn(row, "base");
}

/** A damaged row may have anything. */
function countIn(row: Partial<EntryRow> | undefined, field: "revision" | "base"): number | undefined {
  const count: unknown = row?.[field];
  return isCount(count) ? count : undefined;
}
