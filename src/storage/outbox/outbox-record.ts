import type { WriteId } from "../../model/metadata.ts";
import { isWriteId } from "../../model/row.ts";

/**
 * `sending`: its engine is publishing it; no other engine may, unless that one has ended.
 * `queued`: the tab that drains the outbox publishes it. `rejected`: the server refused it; it waits for the caller.
 */
export type WriteState = "sending" | "queued" | "rejected";

export interface OutboxWrite {
  /** The second part of the write's id: `[instanceId, sequence]`. */
  readonly sequence: number;
  readonly key: string;
  readonly version: number;
  readonly operation: "store" | "delete";
  /** A write of the same key that was in flight when this one was queued. This one must not be sent before that one is settled. */
  readonly waitsFor?: WriteId;
}

/**
 * Writes of one engine that have the same state. The record's key is the id of its first write. The sequence numbers of its writes
 * are less than the one in the key of the engine's next record.
 */
export interface OutboxRecord {
  readonly state: WriteState;
  readonly writes: readonly OutboxWrite[];
  readonly attempts: number;
  readonly lastError?: string;
}

/**
 * How an attempt to publish a write ended, or what the caller decided. The write leaves the outbox: `confirmed`; `superseded` by
 * a newer version of its key; `discarded` by the caller. It stays: `queued` or `rejected` after a failed attempt; `retried`, queued
 * by the caller.
 */
export type Settlement =
  /** `stored`: the revision that the stream has given to the message of this key. */
  | { readonly state: "confirmed"; readonly stored?: { readonly key: string; readonly revision: number } }
  | { readonly state: "superseded" | "discarded" | "retried" }
  | { readonly state: "queued" | "rejected"; readonly error: string };

/** By the sequence numbers of one engine's writes. */
export type Settlements = ReadonlyMap<number, Settlement>;

/** The records that replace a settled one: runs of writes with the same state and error, in the order of their numbers. */
export function splitBySettlement(record: OutboxRecord, settlements: Settlements): OutboxRecord[] {
  const parts: (Omit<OutboxRecord, "writes"> & { writes: OutboxWrite[] })[] = [];
  let isInterrupted = true;
  for (const write of record.writes) {
    const next = afterSettlement(record, settlements.get(write.sequence));
    const last = parts.at(-1);
    if (next === undefined) isInterrupted = true;
    else if (!isInterrupted && last?.state === next.state && last.lastError === next.lastError) last.writes.push(write);
    else {
      parts.push({ ...next, writes: [write] });
      isInterrupted = false;
    }
  }
  return parts;
}

/** Whether a delete with this settlement needs its tombstone no longer. */
export function endsDelete(settlement: Settlement | undefined): boolean {
  return settlement?.state === "confirmed" || settlement?.state === "discarded";
}

/** False for a damaged record. Readers skip it: it cannot be repaired. */
export function isOutboxRecord(value: unknown): value is OutboxRecord {
  const record = value as Partial<OutboxRecord> | undefined | null;
  return (
    STATES.includes(record?.state) &&
    typeof record?.attempts === "number" &&
    Array.isArray(record.writes) &&
    record.writes.every(
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

/** The state, attempts and error of a write after its settlement; undefined: the write leaves the outbox. */
function afterSettlement(record: OutboxRecord, settlement: Settlement | undefined): Omit<OutboxRecord, "writes"> | undefined {
  const { writes: _, ...present } = record;
  switch (settlement?.state) {
    case undefined:
      return present;
    case "retried":
      return { ...present, state: "queued" };
    case "queued":
    case "rejected":
      return { state: settlement.state, attempts: record.attempts + 1, lastError: settlement.error };
    default:
      return undefined;
  }
}
