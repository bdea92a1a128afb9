import { promisifyRequest } from "idb-keyval";

import type { WriteId } from "../../model/metadata.ts";
import { isTombstone, isWriteId, type Row } from "../../model/row.ts";
import { find } from "../entries/find.ts";
import { replaceRows } from "../entries/write.ts";
import { OUTBOX } from "../idb/schema.ts";
import { endsDelete, isOutboxRecord, splitBySettlement, type OutboxRecord, type Settlements, type WriteState } from "./outbox-record.ts";

/** The table of outbox records. Every function works in an open transaction. */

export function addToOutbox(transaction: IDBTransaction, instanceId: string, record: OutboxRecord): void {
  const first = record.writes[0];
  if (first !== undefined) transaction.objectStore(OUTBOX).put(record, [instanceId, first.sequence]);
}

export async function outboxRecords(transaction: IDBTransaction): Promise<[WriteId, OutboxRecord][]> {
  const outbox = transaction.objectStore(OUTBOX);
  const [keys, records] = await Promise.all([
    promisifyRequest(outbox.getAllKeys()) as Promise<unknown[]>,
    promisifyRequest<unknown[]>(outbox.getAll()),
  ]);
  return keys.flatMap((key, index) => {
    const record = records[index];
    return isWriteId(key) && isOutboxRecord(record) ? [[key, record] as [WriteId, OutboxRecord]] : [];
  });
}

/** The state of a write; undefined: it is confirmed, or superseded. */
export async function outboxState(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
  return (await recordOf(transaction, id))?.record.state;
}

/** The write that a queued one waits for. */
export async function predecessorOf(transaction: IDBTransaction, id: WriteId): Promise<WriteId | undefined> {
  const found = await recordOf(transaction, id);
  return found?.record.writes.find(({ sequence }) => sequence === id[1])?.waitsFor;
}

/** Removes a superseded write. */
export function removeFromOutbox(transaction: IDBTransaction, [instanceId, sequence]: WriteId): Promise<void> {
  return settleInOutbox(transaction, instanceId, new Map([[sequence, { state: "superseded" }]]));
}

/** Removes a whole record, by the id of its first write. All of its writes must be confirmed, and none may be a delete. */
export function removeRecord(transaction: IDBTransaction, first: WriteId): void {
  transaction.objectStore(OUTBOX).delete([...first]);
}

/** Changes nothing, but counts as a write: a strict transaction flushes it to the disk, and every earlier commit with it. */
export function touchOutbox(transaction: IDBTransaction): void {
  const outbox = transaction.objectStore(OUTBOX);
  outbox.put(null, FLUSH_MARK);
  outbox.delete(FLUSH_MARK);
}

/** The key of a record that no transaction leaves behind. */
const FLUSH_MARK = "flush";

/**
 * Records how attempts to publish an engine's writes ended. Must find each write by its id: its key may have a newer write by now,
 * and its record may have been split. Removes the tombstone of a delete that is confirmed or discarded.
 */
export async function settleInOutbox(transaction: IDBTransaction, instanceId: string, settlements: Settlements): Promise<void> {
  const left = new Set(settlements.keys());
  for (const sequence of left) {
    const found = await recordOf(transaction, [instanceId, sequence]);
    if (found === undefined) continue;
    const { recordKey, record } = found;
    const effective = await supersedeRejected(transaction, instanceId, record, settlements);
    transaction.objectStore(OUTBOX).delete([...recordKey]);
    for (const part of splitBySettlement(record, effective)) addToOutbox(transaction, instanceId, part);
    for (const write of record.writes) {
      left.delete(write.sequence);
      if (write.operation === "delete" && endsDelete(settlements.get(write.sequence))) {
        await removeTombstone(transaction, write.key, [instanceId, write.sequence]);
      }
    }
  }
}

/** Settles the rejected writes, all of them or those of one key. @returns how many there were */
export async function settleRejected(
  transaction: IDBTransaction,
  key: string | undefined,
  state: "retried" | "discarded",
): Promise<number> {
  let count = 0;
  for (const [[instanceId], record] of await outboxRecords(transaction)) {
    if (record.state !== "rejected") continue;
    const writes = record.writes.filter((write) => key === undefined || write.key === key);
    if (writes.length === 0) continue;
    count += writes.length;
    await settleInOutbox(transaction, instanceId, new Map(writes.map(({ sequence }) => [sequence, { state }])));
  }
  return count;
}

/** Whether a row is the one that a write put under its key. */
export function isRowOf(row: Row | undefined, [instanceId, sequence]: WriteId): row is Row {
  return row !== undefined && row.writeId[0] === instanceId && row.writeId[1] === sequence;
}

/** The record that holds a write, if the outbox has one. */
async function recordOf(transaction: IDBTransaction, [instanceId, sequence]: WriteId) {
  const outbox = transaction.objectStore(OUTBOX);
  const cursor = await promisifyRequest(outbox.openCursor(IDBKeyRange.bound([instanceId, 0], [instanceId, sequence]), "prev"));
  const record: unknown = cursor?.value;
  if (cursor === null || !isOutboxRecord(record) || !record.writes.some((write) => write.sequence === sequence)) return undefined;
  return { recordKey: cursor.key as unknown as WriteId, record };
}

/** A rejected write whose key has a newer one can never be sent again: it counts as superseded. */
async function supersedeRejected(
  transaction: IDBTransaction,
  instanceId: string,
  { writes }: OutboxRecord,
  settlements: Settlements,
): Promise<Settlements> {
  const rejected = writes.filter(({ sequence }) => settlements.get(sequence)?.state === "rejected");
  if (rejected.length === 0) return settlements;
  const effective = new Map(settlements);
  const keys = rejected.map(({ key }) => key);
  const { rows } = await find(transaction, keys);
  for (const { sequence, key } of rejected) {
    if (!isRowOf(rows.get(key), [instanceId, sequence])) effective.set(sequence, { state: "superseded" });
  }
  return effective;
}

async function removeTombstone(transaction: IDBTransaction, key: string, id: WriteId): Promise<void> {
  const found = await find(transaction, [key]);
  const row = found.rows.get(key);
  if (isRowOf(row, id) && isTombstone(row)) await replaceRows(transaction, found, new Map([[key, undefined]]));
}
