import { IDBDatabase, IDBTransaction } from "fake-indexeddb";
import { vi, type Mock } from "vitest";

import { watchedBy } from "../storage/idb/transaction.ts";
import { Watchdog } from "../storage/idb/watchdog.ts";
import { Database } from "../storage/idb/database.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import { FakeClock } from "./fake-clock.ts";
import { resultOf } from "./indexeddb.ts";

export const NAME = "nas-keystore/test";

/** A database whose events a test watches, and whose clock it moves. */
export interface WatchedDatabase {
  readonly database: Database;
  readonly clock: FakeClock;
  readonly onLost: Mock<() => void>;
  readonly onReset: Mock<(reason: string) => void>;
  /** Resolves when the connection is lost for the first time. */
  readonly lost: Promise<void>;
}

export function watchedDatabase(): WatchedDatabase {
  const clock = new FakeClock();
  const onLost = vi.fn<() => void>();
  const lost = new Promise<void>((resolve) => onLost.mockImplementation(resolve));
  const onReset = vi.fn<(reason: string) => void>();
  const database = new Database(NAME, { clock, onLost, onReset });
  database.transact = watchedBy(new Watchdog(clock).watch);
  return { database, clock, onLost, onReset, lost };
}

export function put(database: Database, key: string, value: unknown): Promise<void> {
  return database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(value, key));
}

export function get(database: Database, key: string): Promise<unknown> {
  return database.run([ENTRIES], "readonly", (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get(key)));
}

/** Aborts a transaction as the browser does, with a reason or without. */
export function abortByBrowser(transaction: globalThis.IDBTransaction, reason: Error | null): void {
  if (!(transaction instanceof IDBTransaction)) throw new Error("fake-indexeddb is not in place.");
  transaction.abort();
  Object.defineProperty(transaction, "error", { value: reason });
}

/** From now on, the transactions of a connection never end, and neither do their requests. `table`: only transactions on that table. */
export function silence(database: globalThis.IDBDatabase | undefined, table?: string): { readonly abort: Mock<() => void> } {
  const silent = { objectStore: () => ({ get: () => ({}) }), abort: vi.fn<() => void>(), db: database };
  const { transaction } = IDBDatabase.prototype;
  vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...given) {
    const isSilent = table === undefined || [given[0]].flat().includes(table);
    return this === database && isSilent ? (silent as unknown as IDBTransaction) : transaction.apply(this, given);
  });
  return silent;
}
