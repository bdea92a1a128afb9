import { IDBFactory, IDBDatabase, IDBKeyRange, IDBObjectStore, forceCloseDatabase } from "fake-indexeddb";
import { afterEach, beforeEach, expect, vi, type MockInstance } from "vitest";

import { asRow, type Row } from "../model/row.ts";
import type { WriteId } from "../model/metadata.ts";
import { Database } from "../storage/idb/database.ts";
import type { OutboxRecord } from "../storage/outbox/outbox-record.ts";
import { addToOutbox, outboxRecords } from "../storage/outbox/outbox-table.ts";
import * as arrangement from "../storage/entries/arrange.ts";
import { asBlock } from "../storage/entries/block.ts";
import type { Clock } from "../util/clock.ts";
import { FakeClock } from "./fake-clock.ts";
import { ENTRIES, OUTBOX, UPGRADES } from "../storage/idb/schema.ts";
import { watchedBy } from "../storage/idb/transaction.ts";

/** Every test of the file gets an IndexedDB of its own, with nothing in it. */
export function useFreshIndexedDB(): void {
  beforeEach(() => {
    vi.stubGlobal("indexedDB", new IDBFactory());
    vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
}

/** The two ways in which entries lie in the database, for suites that run with each. */
export const LAYOUTS = [
  { layout: "single entries", minRowsForBlocks: Infinity },
  { layout: "entries in blocks", minRowsForBlocks: 1 },
] as const;

const { arrange } = arrangement;

/** In each test, writes of this many entries or more go into blocks. */
export function useBlocks(minRowsForBlocks: number): void {
  beforeEach(() => writeBlocksFrom(minRowsForBlocks));
}

/** Until the end of the test, writes of this many entries or more go into blocks. */
export function writeBlocksFrom(minRowsForBlocks: number): void {
  vi.spyOn(arrangement, "arrange").mockImplementation((rows) => arrange(rows, minRowsForBlocks));
}

/** A database whose events go nowhere, and whose time limits never end by themselves. */
export function openDatabase(name = "nas-keystore/test", clock: Clock = new FakeClock(), upgrades = UPGRADES): Database {
  const database = new Database(name, { clock, onLost: () => undefined, onReset: () => undefined, upgrades });
  database.transact = watchedBy((_, outcome) => outcome);
  return database;
}

/** The transactions begun from now on. */
export function watchTransactions(): MockInstance<IDBDatabase["transaction"]> {
  return vi.spyOn(IDBDatabase.prototype, "transaction");
}

/** How many of them write. */
export function writesAmong(transactions: MockInstance<IDBDatabase["transaction"]>): number {
  return transactions.mock.calls.filter(([, mode]) => mode === "readwrite").length;
}

/** The connections opened from now on; the platform can take each of them away. */
export function watchConnections(): { database: IDBDatabase; lose(): void }[] {
  const connections: { database: IDBDatabase; lose(): void }[] = [];
  const { indexedDB } = globalThis;
  const open = indexedDB.open.bind(indexedDB);
  vi.spyOn(indexedDB, "open").mockImplementation((name, version) => {
    const request = open(name, version);
    request.addEventListener("success", () => {
      const database = request.result;
      connections.push({ database, lose: () => forceCloseDatabase(database as unknown as typeof IDBDatabase) });
    });
    return request;
  });
  return connections;
}

/** The browser's storage fails until the returned function is called. */
export function loseStorage(): () => void {
  const lost = watchTransactions().mockImplementation(() => {
    throw lostServer();
  });
  return () => lost.mockRestore();
}

/** The browser commits the next writing transaction, and when `meanwhile` is over reports it as lost. */
export function loseAnswer(meanwhile: () => Promise<void> = async () => undefined): void {
  const { transaction: begin } = IDBDatabase.prototype;
  let isLost = false;
  watchTransactions().mockImplementation(function (this: globalThis.IDBDatabase, ...given) {
    const transaction = begin.apply(this, given);
    if (given[1] !== "readwrite" || isLost) return transaction;
    // Once somebody listens.
    queueMicrotask(() => {
      transaction.oncomplete = async () => {
        isLost = true;
        await meanwhile();
        Object.defineProperty(transaction, "error", { value: lostServer() });
        transaction.onabort?.(new Event("abort"));
      };
    });
    return transaction;
  });
}

/** Fills the disk: as in browsers, a transaction that puts something aborts a moment later. The function returned ends that. */
export function fillStorage(): () => void {
  const spies = (["add", "put"] as const).map((how) => {
    const write = IDBObjectStore.prototype[how];
    return vi.spyOn(IDBObjectStore.prototype, how).mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
      const request = write.apply(this, given);
      // Not `abort()`: it throws once the transaction is committing.
      const { transaction } = this as unknown as { transaction: Record<"_abort", (name: string) => void> };
      request.addEventListener("success", () => transaction["_abort"]("QuotaExceededError"));
      return request;
    });
  });
  return () => spies.forEach((spy) => spy.mockRestore());
}

/** Fills the disk until something is deleted. */
export function fillStorageUntilDelete(): void {
  const makeRoom = fillStorage();
  const { delete: remove } = IDBObjectStore.prototype;
  vi.spyOn(IDBObjectStore.prototype, "delete").mockImplementation(function (this: globalThis.IDBObjectStore, key) {
    makeRoom();
    return remove.call(this, key);
  });
}

function lostServer(): DOMException {
  return new DOMException("Connection to Indexed Database server lost", "UnknownError");
}

export async function putRows(database: Database, rows: Readonly<Record<string, unknown>>): Promise<void> {
  await database.run([ENTRIES], "readwrite", (transaction) => {
    for (const [key, row] of Object.entries(rows)) transaction.objectStore(ENTRIES).put(row, key);
  });
}

/**
 * All entries, as the database holds them, single or in blocks.
 * @throws when a key lies in two places, or a block's list of keys is not its own
 */
export async function allRows(database: Database): Promise<Record<string, Row | undefined>> {
  return database.run([ENTRIES], "readonly", async (transaction) => {
    const entries = transaction.objectStore(ENTRIES);
    const [places, records] = await Promise.all([resultOf(entries.getAllKeys()), resultOf<unknown[]>(entries.getAll())]);
    const rows = new Map<string, Row | undefined>();
    const lists = new Map<IDBValidKey | undefined, unknown>();
    places.forEach((place, index) => {
      const record = records[index];
      const block = typeof place === "string" ? new Map([[place, record]]) : Array.isArray(place) ? asBlock(record) : undefined;
      if (typeof place === "number") lists.set(place, record);
      else if (Array.isArray(place)) expect([lists.get(place[0]), place[1]]).toEqual([[...(block?.keys() ?? [])], block?.size]);
      for (const [key, row] of block ?? []) {
        expect(rows.has(key), `${key} lies in two places`).toBe(false);
        rows.set(key, asRow(row, key));
      }
    });
    expect(lists.size, "lists of keys without a block").toBe(places.filter((place) => Array.isArray(place)).length);
    return Object.fromEntries(rows);
  });
}

export async function putOutbox(database: Database, instanceId: string, ...rows: OutboxRecord[]): Promise<void> {
  await database.run([OUTBOX], "readwrite", (transaction) => {
    for (const row of rows) addToOutbox(transaction, instanceId, row);
  });
}

/** All of the outbox. */
export function allOutbox(database: Database): Promise<[WriteId, OutboxRecord][]> {
  return database.run([OUTBOX], "readonly", outboxRecords);
}

export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
