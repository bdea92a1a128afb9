import { outboxRecords } from "./outbox-table.ts";

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

/** The newest unconfirmed write of each key, in an open transaction on the outbox: the one with the highest version. */
export async function pendingWrites(transaction: IDBTransaction): Promise<PendingWrite[]> {
  const newest = new Map<string, PendingWrite>();
  for (const [, { state, writes, attempts, lastError }] of await outboxRecords(transaction)) {
    for (const { key, operation, version } of writes) {
      if (version < (newest.get(key)?.version ?? 0)) continue;
      const error = lastError === undefined ? undefined : { lastError };
      newest.set(key, { key, operation, version, attempts, ...error, rejected: state === "rejected" });
    }
  }
  return [...newest.values()];
}

export function countWrites(writes: readonly PendingWrite[]): { pending: number; rejected: number } {
  const rejected = writes.filter((write) => write.rejected).length;
  return { pending: writes.length - rejected, rejected };
}
