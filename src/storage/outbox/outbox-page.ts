import { promisifyRequest } from "idb-keyval";

import type { WriteId } from "../../model/metadata.ts";
import { isWriteId, type Row } from "../../model/row.ts";
import { find } from "../entries/find.ts";
import { OUTBOX } from "../idb/schema.ts";
import { isOutboxRecord, type OutboxWrite, type WriteState } from "./outbox-record.ts";
import { isRowOf, outboxState } from "./outbox-table.ts";

/** A write that can be sent, and the row that its message is made from. */
export interface UnsentWrite {
  readonly instanceId: string;
  readonly write: OutboxWrite;
  readonly row: Row;
  readonly lastError?: string | undefined;
}

export interface OutboxPage {
  readonly unsent: readonly UnsentWrite[];
  /** Writes whose key has a newer one: their rows, and so their messages, are gone. */
  readonly superseded: readonly Omit<UnsentWrite, "row">[];
  /** Some writes have to wait for one that is in flight. */
  readonly held: boolean;
  /** The last record read; undefined: there is no more. */
  readonly next: WriteId | undefined;
}

/**
 * The next writes that may be sent, a bounded number of them.
 * @param after the last record of the page before
 * @param mayTake whether the caller may send a write that is in this state
 */
export async function readOutbox(
  transaction: IDBTransaction,
  after: WriteId | undefined,
  limit: number,
  mayTake: (id: WriteId, state: WriteState) => boolean,
): Promise<OutboxPage> {
  const outbox = transaction.objectStore(OUTBOX);
  const range = IDBKeyRange.lowerBound(after === undefined ? [] : [...after], true);
  const found: unknown[] = await promisifyRequest(outbox.getAllKeys(range, limit));

  const isInFlight = async (id: WriteId | undefined): Promise<boolean> =>
    id !== undefined && (await outboxState(transaction, id)) === "sending" && !mayTake(id, "sending");

  const unsent: UnsentWrite[] = [];
  const superseded: Omit<UnsentWrite, "row">[] = [];
  let held = false;
  const keys = found.filter(isWriteId);
  for (const recordKey of keys) {
    const [instanceId] = recordKey;
    const record = await promisifyRequest<unknown>(outbox.get([...recordKey]));
    if (!isOutboxRecord(record)) continue;
    const writes = record.writes.filter(({ sequence }) => mayTake([instanceId, sequence], record.state));
    const keysOfWrites = writes.map(({ key }) => key);
    const { rows } = await find(transaction, keysOfWrites);
    for (const write of writes) {
      const row = rows.get(write.key);
      if (!isRowOf(row, [instanceId, write.sequence])) superseded.push({ instanceId, write });
      else if (await isInFlight(write.waitsFor)) held = true;
      else unsent.push({ instanceId, write, row, lastError: record.lastError });
    }
    if (unsent.length >= limit) return { unsent, superseded, held, next: recordKey };
  }
  return { unsent, superseded, held, next: found.length === limit ? keys.at(-1) : undefined };
}
