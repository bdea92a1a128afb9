import { promisifyRequest } from "idb-keyval";

import type { WriteId } from "../../model/metadata.ts";
import { isTombstone, isWriteId, type Row } from "../../model/row.ts";
import { batches } from "../../util/batches.ts";
import { find } from "../entries/find.ts";
import { replaceRows } from "../entries/write.ts";
import { OUTBOX } from "../idb/schema.ts";
import {
  endsDelete,
  isOutboxRecord,
  splitBySettlement,
  type OutboxRecord,
  type Settlement,
  type Settlements,
  type WriteState,
} from "./outbox-record.ts";

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

/** A write that the outbox has. */
export interface RecordedWrite {
  readonly state: WriteState;
  /** The write that must be settled first. */
  readonly waitsFor: WriteId | undefined;
}

/** Lists of writes are looked up at the same time; in each, one after another. */
const CONCURRENT_LOOKUPS = 8;

/**
 * Those of the writes that the outbox has. Reads each record once for its writes, and one for those that are confirmed.
 * @param allAtOnce makes all requests together: the page may not live to receive the results of many, one after another
 */
export async function recordedWrites(
  transaction: IDBTransaction,
  ids: readonly WriteId[],
  allAtOnce = false,
): Promise<(id: WriteId) => RecordedWrite | undefined> {
  const found = new Map<string, Map<number, RecordedWrite>>();
  for (const [instanceId] of ids) found.set(instanceId, new Map());
  const look = async (list: readonly WriteId[]): Promise<void> => {
    /** The part of an instance's sequence numbers that is known: from this one to the one before in the list. */
    let known: WriteId | undefined;
    for (const id of list) {
      if (known !== undefined && known[0] === id[0] && known[1] <= id[1]) continue;
      const nearest = await nearestRecord(transaction, id);
      known = nearest?.recordKey ?? [id[0], 0];
      const { state, writes } = nearest?.record ?? { state: "sending", writes: [] };
      for (const { sequence, waitsFor } of writes) found.get(id[0])?.set(sequence, { state, waitsFor });
    }
  };
  const sorted = ids.toSorted(([a, m], [b, n]) => (a === b ? n - m : a < b ? -1 : 1));
  await Promise.all(batches(sorted, allAtOnce ? 1 : Math.ceil(sorted.length / CONCURRENT_LOOKUPS)).map(look));
  return ([instanceId, sequence]) => found.get(instanceId)?.get(sequence);
}

/** Removes superseded writes, those of a record together. */
export async function removeFromOutbox(transaction: IDBTransaction, ids: Iterable<WriteId>): Promise<void> {
  const byInstance = new Map<string, Map<number, Settlement>>();
  for (const [instanceId, sequence] of ids) {
    const settlements = byInstance.get(instanceId) ?? new Map<number, Settlement>();
    byInstance.set(instanceId, settlements.set(sequence, { state: "superseded" }));
  }
  for (const [instanceId, settlements] of byInstance) await settleInOutbox(transaction, instanceId, settlements);
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
async function recordOf(transaction: IDBTransaction, id: WriteId): Promise<{ recordKey: WriteId; record: OutboxRecord } | undefined> {
  const { recordKey, record } = (await nearestRecord(transaction, id)) ?? {};
  if (recordKey === undefined || !record?.writes.some(({ sequence }) => sequence === id[1])) return undefined;
  return { recordKey, record };
}

/** The one record of an instance that may hold a write: the last one at or before it. It is undefined where it is damaged. */
async function nearestRecord(
  transaction: IDBTransaction,
  [instanceId, sequence]: WriteId,
): Promise<{ recordKey: WriteId; record: OutboxRecord | undefined } | undefined> {
  const outbox = transaction.objectStore(OUTBOX);
  const cursor = await promisifyRequest(outbox.openCursor(IDBKeyRange.bound([instanceId, 0], [instanceId, sequence]), "prev"));
  if (cursor === null) return undefined;
  const record: unknown = cursor.value;
  return { recordKey: cursor.key as unknown as WriteId, record: isOutboxRecord(record) ? record : undefined };
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
