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
  /** The write's number in its instanceId: `[instanceId, sequence]` is its WriteId. */
  readonly sequence: number;
  readonly key: string;
  readonly version: number;
  readonly operation: "store" | "delete";
  /** A write of the same key that was being sent when this one was queued: this one must not leave before it is settled. */
  readonly waitsFor?: WriteId;
}

/**
 * Writes of one instanceId that share a fate. The record's key is the WriteId of the first, and the numbers of the writes
 * lie between it and the key of the instanceId's next record.
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
export interface UnsentWrite {
  readonly instanceId: string;
  readonly write: OutboxWrite;
  readonly row: Row;
}

export function addToOutbox(transaction: IDBTransaction, instanceId: string, row: OutboxRow): void {
  const first = row.writes[0];
  if (first !== undefined) transaction.objectStore(OUTBOX).put(row, [instanceId, first.sequence]);
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
export async function predecessorOf(transaction: IDBTransaction, id: WriteId): Promise<WriteId | undefined> {
  const record = await recordOf(transaction, id);
  return record?.row.writes.find(({ sequence }) => sequence === id[1])?.waitsFor;
}

/** Takes one write out of the outbox, by its id: what it says can no longer be sent. */
export function removeFromOutbox(transaction: IDBTransaction, [instanceId, sequence]: WriteId): Promise<void> {
  return settleInOutbox(transaction, instanceId, new Map([[sequence, { state: "superseded" }]]));
}

/**
 * Writes down how attempts to publish an instanceId's writes ended, by their numbers. Must find each write by its id: its key
 * may have a newer write by now, and its record may have been split. A delete that is done with takes its tombstone along.
 */
export async function settleInOutbox(
  transaction: IDBTransaction,
  instanceId: string,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<void> {
  const left = new Set(settlements.keys());
  for (const sequence of left) {
    const record = await recordOf(transaction, [instanceId, sequence]);
    if (record === undefined) continue;
    const { rowKey, row } = record;
    const fates = await withoutOvertaken(transaction, instanceId, row, settlements);
    transaction.objectStore(OUTBOX).delete([...rowKey]);
    for (const part of splitByFate(row, fates)) addToOutbox(transaction, instanceId, part);
    for (const write of row.writes) {
      left.delete(write.sequence);
      if (write.operation === "delete" && isOver(settlements.get(write.sequence))) {
        await removeTombstone(transaction, write.key, [instanceId, write.sequence]);
      }
    }
  }
}

/** A write that was refused while a newer one of its key was committed can never be sent again: that one has its place. */
async function withoutOvertaken(
  transaction: IDBTransaction,
  instanceId: string,
  { writes }: OutboxRow,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<ReadonlyMap<number, Settlement>> {
  const refused = writes.filter(({ sequence }) => settlements.get(sequence)?.state === "rejected");
  if (refused.length === 0) return settlements;
  const fates = new Map(settlements);
  const { rows } = await find(
    transaction,
    refused.map(({ key }) => key),
  );
  for (const { sequence, key } of refused) if (!isOf(rows.get(key), instanceId, sequence)) fates.set(sequence, { state: "superseded" });
  return fates;
}

/** Whether a row is what this write has left under its key. */
export function isOf(row: Row | undefined, instanceId: string, sequence: number): row is Row {
  return row !== undefined && row.writeId[0] === instanceId && row.writeId[1] === sequence;
}

/** Takes a whole record out of the outbox, by the id of its first write: all of its writes are confirmed, none is a delete. */
export function removeRecord(transaction: IDBTransaction, first: WriteId): void {
  transaction.objectStore(OUTBOX).delete([...first]);
}

/** The record that holds a write, if it is still in the outbox. */
async function recordOf(
  transaction: IDBTransaction,
  [instanceId, sequence]: WriteId,
): Promise<{ rowKey: WriteId; row: OutboxRow } | undefined> {
  const outbox = transaction.objectStore(OUTBOX);
  const cursor = await promisifyRequest(outbox.openCursor(IDBKeyRange.bound([instanceId, 0], [instanceId, sequence]), "prev"));
  const row: unknown = cursor?.value;
  if (cursor === null || !isOutboxRow(row) || !row.writes.some((write) => write.sequence === sequence)) return undefined;
  return { rowKey: cursor.key as unknown as WriteId, row };
}

/** Gives the refused writes, or those of one key, another fate. @returns how many there were */
export async function settleRejected(
  transaction: IDBTransaction,
  key: string | undefined,
  state: "retried" | "discarded",
): Promise<number> {
  let count = 0;
  for (const [[instanceId], row] of await outboxRows(transaction)) {
    if (row.state !== "rejected") continue;
    const writes = row.writes.filter((write) => key === undefined || write.key === key);
    if (writes.length === 0) continue;
    count += writes.length;
    await settleInOutbox(transaction, instanceId, new Map(writes.map(({ sequence }) => [sequence, { state }])));
  }
  return count;
}

/** What is left of a record: runs of writes that share a fate, each to be a record of its own, in the order of their numbers. */
export function splitByFate(row: OutboxRow, settlements: ReadonlyMap<number, Settlement>): OutboxRow[] {
  const parts: (Omit<OutboxRow, "writes"> & { writes: OutboxWrite[] })[] = [];
  let broken = true;
  for (const write of row.writes) {
    const fate = fateOf(row, settlements.get(write.sequence));
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

async function removeTombstone(transaction: IDBTransaction, key: string, [instanceId, sequence]: WriteId): Promise<void> {
  const found = await find(transaction, [key]);
  const row = found.rows.get(key);
  if (isOf(row, instanceId, sequence) && isTombstone(row)) await replaceRows(transaction, found, new Map([[key, undefined]]));
}

/** Where to go on reading the outbox, and what was found. */
export interface OutboxPage {
  readonly unsent: readonly UnsentWrite[];
  /** Writes whose key has a newer one; their own message can no longer be made. */
  readonly superseded: readonly Omit<UnsentWrite, "row">[];
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

  const unsent: UnsentWrite[] = [];
  const superseded: Omit<UnsentWrite, "row">[] = [];
  let held = false;
  const keys = found.filter(isWriteId);
  for (const rowKey of keys) {
    const [instanceId] = rowKey;
    const record = await promisifyRequest<unknown>(outbox.get([...rowKey]));
    const writes = isOutboxRow(record) ? record.writes.filter(({ sequence }) => mayTake([instanceId, sequence], record.state)) : [];
    const { rows } = await find(
      transaction,
      writes.map(({ key }) => key),
    );
    for (const write of writes) {
      const row = rows.get(write.key);
      if (!isOf(row, instanceId, write.sequence)) superseded.push({ instanceId, write });
      else if (await isBeingSent(transaction, write.waitsFor, mayTake)) held = true;
      else unsent.push({ instanceId, write, row });
    }
    if (unsent.length >= limit) return { unsent, superseded, held, next: rowKey };
  }
  return { unsent, superseded, held, next: found.length === limit ? keys.at(-1) : undefined };
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
        Number.isSafeInteger(write?.sequence) &&
        typeof write?.key === "string" &&
        Number.isSafeInteger(write.version) &&
        OPERATIONS.includes(write.operation) &&
        (write.waitsFor === undefined || isWriteId(write.waitsFor)),
    )
  );
}

const STATES: readonly unknown[] = ["sending", "queued", "rejected"] satisfies WriteState[];
const OPERATIONS: readonly unknown[] = ["store", "delete"] satisfies OutboxWrite["operation"][];
