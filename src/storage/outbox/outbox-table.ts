import { promisifyRequest } from "idb-keyval";

import { isTombstone, isWriteId, type Row } from "../../model/row.ts";
import type { WriteId } from "../../model/metadata.ts";
import { find } from "../entries/entry-table.ts";
import { replaceRows } from "../entries/entry-writes.ts";
import { OUTBOX } from "../idb/schema.ts";

/**
 * `sending`: its store is publishing it now; nobody else may, unless that store has died.
 * `queued`: whoever drains the outbox publishes it. `rejected`: the server refused it; it waits for the caller.
 */
export type WriteState = "sending" | "queued" | "rejected";

export interface OutboxWrite {
  /** The write's number in its owner: `[owner, n]` is its WriteId. */
  readonly n: number;
  readonly key: string;
  readonly version: number;
  readonly operation: "store" | "delete";
  /** A write of the same key that was being sent when this one was queued: this one must not leave before it is settled. */
  readonly behind?: WriteId;
}

/**
 * Writes of one owner that share a fate. The record's key is the WriteId of the first, and the numbers of the writes
 * lie between it and the key of the owner's next record.
 */
export interface OutboxRow {
  readonly state: WriteState;
  readonly writes: readonly OutboxWrite[];
  readonly attempts: number;
  readonly lastError?: string;
}

/**
 * What becomes of a write. Out of the outbox: `confirmed`; `superseded`, a newer version of its key has taken its place;
 * `discarded` by the caller. In it: `queued` or `rejected` after an attempt in vain; `retried`, queued by the caller.
 */
export type Settlement =
  | { readonly state: "confirmed" | "superseded" | "discarded" | "retried" }
  | { readonly state: "queued" | "rejected"; readonly error: string };

/** A write that can be sent: whose it is, and the row that its message is made of. */
export interface Parcel {
  readonly owner: string;
  readonly write: OutboxWrite;
  readonly row: Row;
}

export function addToOutbox(transaction: IDBTransaction, owner: string, row: OutboxRow): void {
  const first = row.writes[0];
  if (first !== undefined) transaction.objectStore(OUTBOX).put(row, [owner, first.n]);
}

export async function outboxRows(transaction: IDBTransaction): Promise<[WriteId, OutboxRow][]> {
  const outbox = transaction.objectStore(OUTBOX);
  const [keys, rows] = await Promise.all([
    promisifyRequest(outbox.getAllKeys()) as Promise<unknown[]>,
    promisifyRequest<unknown[]>(outbox.getAll()),
  ]);
  return keys.flatMap((key, index) => {
    const row = rows[index];
    return isWriteId(key) && isOutboxRow(row) ? [[key, row] as [WriteId, OutboxRow]] : [];
  });
}

/** The state of a write in the outbox; undefined: confirmed, or overtaken by a newer version. */
export async function outboxState(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
  return (await recordOf(transaction, id))?.row.state;
}

/** The write that a queued one has to wait for. */
export async function behindOf(transaction: IDBTransaction, id: WriteId): Promise<WriteId | undefined> {
  const record = await recordOf(transaction, id);
  return record?.row.writes.find(({ n }) => n === id[1])?.behind;
}

/** Takes one write out of the outbox, by its id: what it says can no longer be sent. */
export function removeFromOutbox(transaction: IDBTransaction, [owner, n]: WriteId): Promise<void> {
  return settleInOutbox(transaction, owner, new Map([[n, { state: "superseded" }]]));
}

/**
 * Writes down how attempts to publish an owner's writes ended, by their numbers. Must find each write by its id: its key
 * may have a newer write by now, and its record may have been split. A delete that is done with takes its tombstone along.
 */
export async function settleInOutbox(
  transaction: IDBTransaction,
  owner: string,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<void> {
  const left = new Set(settlements.keys());
  for (const n of left) {
    const record = await recordOf(transaction, [owner, n]);
    if (record === undefined) continue;
    const { rowKey, row } = record;
    const fates = await withoutOvertaken(transaction, owner, row, settlements);
    transaction.objectStore(OUTBOX).delete([...rowKey]);
    for (const part of splitByFate(row, fates)) addToOutbox(transaction, owner, part);
    for (const write of row.writes) {
      left.delete(write.n);
      if (write.operation === "delete" && isOver(settlements.get(write.n))) {
        await removeTombstone(transaction, write.key, [owner, write.n]);
      }
    }
  }
}

/** A write that was refused while a newer one of its key was committed can never be sent again: that one has its place. */
async function withoutOvertaken(
  transaction: IDBTransaction,
  owner: string,
  { writes }: OutboxRow,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<ReadonlyMap<number, Settlement>> {
  const refused = writes.filter(({ n }) => settlements.get(n)?.state === "rejected");
  if (refused.length === 0) return settlements;
  const fates = new Map(settlements);
  const { rows } = await find(
    transaction,
    refused.map(({ key }) => key),
  );
  for (const { n, key } of refused) if (!isOf(rows.get(key), owner, n)) fates.set(n, { state: "superseded" });
  return fates;
}

/** Whether a row is what this write has left under its key. */
export function isOf(row: Row | undefined, owner: string, n: number): row is Row {
  return row !== undefined && row.writeId[0] === owner && row.writeId[1] === n;
}

/** Takes a whole record out of the outbox, by the id of its first write: all of its writes are confirmed, none is a delete. */
export function removeRecord(transaction: IDBTransaction, first: WriteId): void {
  transaction.objectStore(OUTBOX).delete([...first]);
}

/** The record that holds a write, if it is still in the outbox. */
async function recordOf(transaction: IDBTransaction, [owner, n]: WriteId): Promise<{ rowKey: WriteId; row: OutboxRow } | undefined> {
  const outbox = transaction.objectStore(OUTBOX);
  const cursor = await promisifyRequest(outbox.openCursor(IDBKeyRange.bound([owner, 0], [owner, n]), "prev"));
  const row: unknown = cursor?.value;
  if (cursor === null || !isOutboxRow(row) || !row.writes.some((write) => write.n === n)) return undefined;
  return { rowKey: cursor.key as unknown as WriteId, row };
}

/** Gives the refused writes, or those of one key, another fate. @returns how many there were */
export async function settleRejected(
  transaction: IDBTransaction,
  key: string | undefined,
  state: "retried" | "discarded",
): Promise<number> {
  let count = 0;
  for (const [[owner], row] of await outboxRows(transaction)) {
    if (row.state !== "rejected") continue;
    const writes = row.writes.filter((write) => key === undefined || write.key === key);
    if (writes.length === 0) continue;
    count += writes.length;
    await settleInOutbox(transaction, owner, new Map(writes.map(({ n }) => [n, { state }])));
  }
  return count;
}

/** What is left of a record: runs of writes that share a fate, each to be a record of its own, in the order of their numbers. */
export function splitByFate(row: OutboxRow, settlements: ReadonlyMap<number, Settlement>): OutboxRow[] {
  const parts: (Omit<OutboxRow, "writes"> & { writes: OutboxWrite[] })[] = [];
  let broken = true;
  for (const write of row.writes) {
    const fate = fateOf(row, settlements.get(write.n));
    const last = parts.at(-1);
    if (fate === undefined) broken = true;
    else if (!broken && last?.state === fate.state && last.lastError === fate.lastError) last.writes.push(write);
    else {
      parts.push({ ...fate, writes: [write] });
      broken = false;
    }
  }
  return parts;
}

/** Undefined: the write leaves the outbox. */
function fateOf(row: OutboxRow, settlement: Settlement | undefined): Omit<OutboxRow, "writes"> | undefined {
  const { writes: _, ...present } = row;
  switch (settlement?.state) {
    case undefined:
      return present;
    case "retried":
      return { ...present, state: "queued" };
    case "queued":
    case "rejected":
      return { state: settlement.state, attempts: row.attempts + 1, lastError: settlement.error };
    default:
      return undefined;
  }
}

function isOver(settlement: Settlement | undefined): boolean {
  return settlement?.state === "confirmed" || settlement?.state === "discarded";
}

async function removeTombstone(transaction: IDBTransaction, key: string, [owner, n]: WriteId): Promise<void> {
  const found = await find(transaction, [key]);
  const row = found.rows.get(key);
  if (isOf(row, owner, n) && isTombstone(row)) await replaceRows(transaction, found, new Map([[key, undefined]]));
}

/** Where to go on reading the outbox, and what was found. */
export interface OutboxPage {
  readonly parcels: readonly Parcel[];
  /** Writes whose key has a newer one; their own message can no longer be made. */
  readonly superseded: readonly Omit<Parcel, "row">[];
  /** There are writes that have to wait for one that is being sent. */
  readonly held: boolean;
  /** The last record read; undefined: there is no more. */
  readonly next: WriteId | undefined;
}

/**
 * The next writes that may be sent, a bounded number of them.
 * @param mayTake whether a write in this state may be sent by whoever asks
 */
export async function readOutbox(
  transaction: IDBTransaction,
  after: WriteId | undefined,
  limit: number,
  mayTake: (id: WriteId, state: WriteState) => boolean,
): Promise<OutboxPage> {
  const outbox = transaction.objectStore(OUTBOX);
  const range = after === undefined ? null : IDBKeyRange.lowerBound([...after], true);
  const found: unknown[] = await promisifyRequest(outbox.getAllKeys(range, limit));

  const parcels: Parcel[] = [];
  const superseded: Omit<Parcel, "row">[] = [];
  let held = false;
  const keys = found.filter(isWriteId);
  for (const rowKey of keys) {
    const [owner] = rowKey;
    const record = await promisifyRequest<unknown>(outbox.get([...rowKey]));
    const writes = isOutboxRow(record) ? record.writes.filter(({ n }) => mayTake([owner, n], record.state)) : [];
    const { rows } = await find(
      transaction,
      writes.map(({ key }) => key),
    );
    for (const write of writes) {
      const row = rows.get(write.key);
      if (!isOf(row, owner, write.n)) superseded.push({ owner, write });
      else if (await isBeingSent(transaction, write.behind, mayTake)) held = true;
      else parcels.push({ owner, write, row });
    }
    if (parcels.length >= limit) return { parcels, superseded, held, next: rowKey };
  }
  return { parcels, superseded, held, next: found.length === limit ? keys.at(-1) : undefined };
}

async function isBeingSent(
  transaction: IDBTransaction,
  id: WriteId | undefined,
  mayTake: (id: WriteId, state: WriteState) => boolean,
): Promise<boolean> {
  return id !== undefined && (await outboxState(transaction, id)) === "sending" && !mayTake(id, "sending");
}

/** What is no record, by damage or worse, is passed over: nothing can be made of it. */
function isOutboxRow(value: unknown): value is OutboxRow {
  const row = value as Partial<OutboxRow> | undefined | null;
  return (
    STATES.includes(row?.state) &&
    typeof row?.attempts === "number" &&
    Array.isArray(row.writes) &&
    row.writes.every(
      (write: Partial<OutboxWrite> | null) =>
        Number.isSafeInteger(write?.n) &&
        typeof write?.key === "string" &&
        Number.isSafeInteger(write.version) &&
        OPERATIONS.includes(write.operation) &&
        (write.behind === undefined || isWriteId(write.behind)),
    )
  );
}

const STATES: readonly unknown[] = ["sending", "queued", "rejected"] satisfies WriteState[];
const OPERATIONS: readonly unknown[] = ["store", "delete"] satisfies OutboxWrite["operation"][];
