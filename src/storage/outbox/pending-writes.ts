import type { WriteId } from "../../model/metadata.ts";
import { find } from "../entries/find.ts";
import { isRowOf, outboxRecords } from "./outbox-table.ts";

/** A key's newest write that the server has not confirmed. */
export interface PendingWrite {
  key: string;
  operation: "store" | "delete";
  version: number;
  /** Failed attempts to publish it. */
  attempts: number;
  lastError?: string;
  /** The server refused it. It is not retried automatically. */
  rejected: boolean;
}

/** The newest unconfirmed write of each key, in an open transaction on the entries and the outbox. */
export async function pendingWrites(transaction: IDBTransaction): Promise<PendingWrite[]> {
  const byKey = new Map<string, { id: WriteId; write: PendingWrite }[]>();
  for (const [[instanceId], { state, writes, attempts, lastError }] of await outboxRecords(transaction)) {
    for (const { key, operation, version, sequence } of writes) {
      const error = lastError === undefined ? undefined : { lastError };
      const write = { key, operation, version, attempts, ...error, rejected: state === "rejected" };
      const writesOfKey = byKey.get(key) ?? [];
      byKey.set(key, writesOfKey);
      writesOfKey.push({ id: [instanceId, sequence], write });
    }
  }
  // A confirmed write may still be recorded, and a key that was deleted starts again at version 1: the row tells which write is the newest.
  const several = [...byKey].flatMap(([key, writes]) => (writes.length > 1 ? [key] : []));
  const { rows } = await find(transaction, several);
  return Array.from(byKey, ([key, writes]) => {
    const newest = writes.find(({ id }) => isRowOf(rows.get(key), id));
    return (newest ?? writes.reduce((a, b) => (b.write.version >= a.write.version ? b : a))).write;
  });
}

export function countWrites(writes: readonly PendingWrite[]): { pending: number; rejected: number } {
  const rejected = writes.filter((write) => write.rejected).length;
  return { pending: writes.length - rejected, rejected };
}
