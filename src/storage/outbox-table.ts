import { promisifyRequest } from "idb-keyval";

import { isTombstone, type Row } from "../entry/row.ts";
import type { WriteId } from "../entry/metadata.ts";
import { ENTRIES, OUTBOX } from "./schema.ts";

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

/** How an attempt to publish a write ended; `superseded`: a newer version of its key has taken its place. */
export type Settlement =
  | { readonly state: "confirmed" | "superseded" }
  | { readonly state: "queued" | "rejected"; readonly error: string };

/** A write that can be sent: where its record lies, and the row that its message is made of. */
export interface Parcel {
  readonly rowKey: WriteId;
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
    promisifyRequest(outbox.getAllKeys() as IDBRequest<unknown> as IDBRequest<[string, number][]>),
    promisifyRequest(outbox.getAll() as IDBRequest<OutboxRow[]>),
  ]);
  return keys.flatMap((key, index) => {
    const row = rows[index];
    return row === undefined ? [] : [[key, row] as [WriteId, OutboxRow]];
  });
}

/** The state of a write in the outbox; undefined: confirmed, or overtaken by a newer version. */
export async function outboxState(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
  return (await recordOf(transaction, id))?.row.state;
}

/** Takes one write out of the outbox, by its id: what it says can no longer be sent. */
export async function removeFromOutbox(transaction: IDBTransaction, id: WriteId): Promise<void> {
  const record = await recordOf(transaction, id);
  if (record === undefined) return;
  await settleInOutbox(transaction, record.rowKey, new Map([[id[1], { state: "superseded" }]]));
}

/**
 * Writes down how an attempt ended. Must remove by write id, never by key: the key may have a newer write by now.
 * A confirmed delete takes its tombstone with it.
 */
export async function settleInOutbox(
  transaction: IDBTransaction,
  rowKey: WriteId,
  settlements: ReadonlyMap<number, Settlement>,
): Promise<void> {
  const outbox = transaction.objectStore(OUTBOX);
  const row = await promisifyRequest(outbox.get([...rowKey]) as IDBRequest<OutboxRow | undefined>);
  if (row === undefined) return;

  const [owner] = rowKey;
  outbox.delete([...rowKey]);
  for (const part of splitByFate(row, settlements)) addToOutbox(transaction, owner, part);
  await Promise.all(
    row.writes
      .filter(({ n, operation }) => operation === "delete" && settlements.get(n)?.state === "confirmed")
      .map(({ n, key }) => removeTombstone(transaction, key, [owner, n])),
  );
}

/** The record that holds a write, if it is still in the outbox. */
async function recordOf(
  transaction: IDBTransaction,
  [owner, n]: WriteId,
): Promise<{ rowKey: WriteId; row: OutboxRow } | undefined> {
  const outbox = transaction.objectStore(OUTBOX);
  const cursor = await promisifyRequest(outbox.openCursor(IDBKeyRange.bound([owner, 0], [owner, n]), "prev"));
  const row = cursor?.value as OutboxRow | undefined;
  if (cursor === null || !row?.writes.some((write) => write.n === n)) return undefined;
  return { rowKey: cursor.key as unknown as WriteId, row };
}

/** What is left of a record: runs of writes that share a fate, each to be a record of its own, in the order of their numbers. */
export function splitByFate(row: OutboxRow, settlements: ReadonlyMap<number, Settlement>): OutboxRow[] {
  const parts: { state: WriteState; lastError?: string; attempts: number; writes: OutboxWrite[] }[] = [];
  let broken = true;
  for (const write of row.writes) {
    const settlement = settlements.get(write.n);
    const fate =
      settlement === undefined
        ? { state: row.state, attempts: row.attempts, ...(row.lastError === undefined ? {} : { lastError: row.lastError }) }
      : settlement.state === "queued" || settlement.state === "rejected"
        ? { state: settlement.state, attempts: row.attempts + 1, lastError: settlement.error }
      : undefined;
    if (fate === undefined) {
      broken = true;
      continue;
    }
    const last = parts.at(-1);
    if (!broken && last?.state === fate.state && last.lastError === fate.lastError) last.writes.push(write);
    else parts.push({ ...fate, writes: [write] });
    broken = false;
  }
  return parts;
}

async function removeTombstone(transaction: IDBTransaction, key: string, [owner, n]: WriteId): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  const row = await promisifyRequest(entries.get(key) as IDBRequest<Row | undefined>);
  if (row !== undefined && isTombstone(row) && row.writeId[0] === owner && row.writeId[1] === n) entries.delete(key);
}

/** Where to go on reading the outbox, and what was found. */
export interface OutboxPage {
  readonly parcels: readonly Parcel[];
  /** Writes whose key has a newer one; their own message can no longer be made. */
  readonly superseded: readonly Omit<Parcel, "row">[];
  /** The last record read; undefined: there is no more. */
  readonly next: WriteId | undefined;
}

/**
 * The next writes that may be sent, a bounded number of them.
 * @param mayTake whether a record of this owner and state may be sent by whoever asks
 */
export async function readOutbox(
  transaction: IDBTransaction,
  after: WriteId | undefined,
  limit: number,
  mayTake: (owner: string, state: WriteState) => boolean,
): Promise<OutboxPage> {
  const outbox = transaction.objectStore(OUTBOX);
  const entries = transaction.objectStore(ENTRIES);
  const range = after === undefined ? null : IDBKeyRange.lowerBound([...after], true);
  const keys = (await promisifyRequest(outbox.getAllKeys(range, limit))) as unknown as WriteId[];

  const parcels: Parcel[] = [];
  const superseded: Omit<Parcel, "row">[] = [];
  for (const rowKey of keys) {
    const [owner] = rowKey;
    const record = await promisifyRequest(outbox.get([...rowKey]) as IDBRequest<OutboxRow>);
    if (mayTake(owner, record.state)) {
      const rows = await Promise.all(
        record.writes.map(({ key }) => promisifyRequest(entries.get(key) as IDBRequest<Row | undefined>)),
      );
      record.writes.forEach((write, index) => {
        const row = rows[index];
        if (row?.writeId[0] === owner && row.writeId[1] === write.n) parcels.push({ rowKey, write, row });
        else superseded.push({ rowKey, write });
      });
    }
    if (parcels.length >= limit) return { parcels, superseded, next: rowKey };
  }
  return { parcels, superseded, next: keys.length === limit ? keys.at(-1) : undefined };
}

