import { hasName, UnexplainedAbort } from "./errors.ts";
import type { Table } from "./schema.ts";

/** The outcome of a transaction, which may be aborted when it does not end. */
export type Watch = <T>(transaction: IDBTransaction, outcome: Promise<T>) => Promise<T>;

/** A strict transaction is on the disk when it completes, unless the disk reports it too early. A relaxed one may still be in memory. */
export type Durability = "strict" | "relaxed";

/** Runs `work` in one transaction. */
export type Transact = <T>(
  database: IDBDatabase,
  tables: readonly Table[],
  mode: IDBTransactionMode,
  durability: Durability,
  work: (transaction: IDBTransaction) => T | Promise<T>,
) => Promise<T>;

/**
 * Runs transactions that are watched. A readonly transaction resolves with its work. A readwrite transaction resolves when it completes,
 * never earlier, and is aborted when `work` fails.
 */
export const watchedBy =
  (watch: Watch): Transact =>
  async (database, tables, mode, durability, work) => {
    const transaction = database.transaction([...tables], mode, mode === "readwrite" ? { durability } : {});
    if (mode === "readonly") return watch(transaction, (async () => work(transaction))());

    // Must not call `commit()`: after it, Firefox commits a transaction although one of its requests fails.
    const working = (async () => work(transaction))().catch((error: unknown) => {
      abort(transaction);
      throw error;
    });
    const [worked, ended] = await watch(transaction, Promise.allSettled([working, completed(transaction)]));
    // A request of an aborted transaction fails with AbortError: the transaction's own error has the cause.
    if (worked.status === "rejected" && !hasName(worked.reason, "AbortError")) throw worked.reason;
    if (ended.status === "rejected") throw ended.reason;
    if (worked.status === "rejected") throw worked.reason;
    return worked.value;
  };

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new UnexplainedAbort("The browser aborted the transaction without a reason."));
  });
}

/** Aborts a transaction, unless it has ended. */
export function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended.
  }
}
