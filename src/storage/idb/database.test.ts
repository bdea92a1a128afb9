import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { abortByBrowser, get, put, watchedDatabase } from "../../testing/database.ts";
import { codeOf, errorOf } from "../../testing/errors.ts";
import { resultOf, useFreshIndexedDB, watchConnections, watchTransactions } from "../../testing/indexeddb.ts";
import { ENTRIES } from "./schema.ts";

useFreshIndexedDB();

describe("A lost connection", () => {
  it("is replaced by a new one without an error for the caller", async () => {
    const connections = watchConnections();
    const { database, onLost, lost } = watchedDatabase();
    await put(database, "a", 1);
    connections[0]?.lose();
    await lost;
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(await get(database, "a")).toBe(1);
    expect(connections).toHaveLength(2);
  });

  it.each(["InvalidStateError", "UnknownError"])("that shows as %s is retried once, on a new connection", async (name) => {
    const connections = watchConnections();
    const { database, onLost } = watchedDatabase();
    await put(database, "a", 1);
    const transactions = watchTransactions();
    transactions.mockImplementationOnce(() => {
      throw new DOMException("the connection is closing", name);
    });
    expect(await get(database, "a")).toBe(1);
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(connections).toHaveLength(2);
    expect(transactions.mock.contexts.at(-1)).toBe(connections[1]?.database);
    expect(transactions.mock.contexts.at(-1)).not.toBe(connections[0]?.database);
  });

  it("is reported as STORAGE_UNAVAILABLE when 20 new connections are lost too, and the next operation tries again", async () => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    const { transaction } = IDBDatabase.prototype;
    let failures = 20;
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...args) {
      const [tables] = args;
      if (Array.isArray(tables) && tables.includes(ENTRIES) && failures-- > 0) throw new DOMException("gone", "InvalidStateError");
      return transaction.apply(this, args);
    });
    expect(await codeOf(() => get(database, "a"))).toBe("STORAGE_UNAVAILABLE");
    expect(await get(database, "a")).toBe(1);
  });

  it("in the middle of a transaction repeats the whole transaction", async () => {
    const { database, onLost } = watchedDatabase();
    const connections = watchConnections();
    let runs = 0;
    const result = await database.run([ENTRIES], "readwrite", async (transaction) => {
      const request = transaction.objectStore(ENTRIES).put(++runs, "a");
      if (runs === 1) {
        connections[0]?.lose();
        abortByBrowser(transaction, new DOMException("Connection to Indexed Database server lost", "UnknownError"));
      }
      await resultOf(request);
      return runs;
    });
    expect({ result, stored: await get(database, "a") }).toEqual({ result: 2, stored: 2 });
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(connections).toHaveLength(2);
  });

  // A platform that closes a connection by force first aborts its transactions with AbortError, then fires `close`.
  it.each<[string, IDBTransactionMode]>([
    ["read", "readonly"],
    ["write", "readwrite"],
  ])("in the middle of a %s repeats the %s when requests fail with AbortError before the `close` event", async (_, mode) => {
    const { database } = watchedDatabase();
    await put(database, "a", 1);
    let runs = 0;
    const value = await database.run([ENTRIES], mode, async (transaction) => {
      const request = resultOf<unknown>(transaction.objectStore(ENTRIES).get("a"));
      if (++runs === 1) {
        abortByBrowser(transaction, new DOMException("Connection is closing.", "AbortError"));
        setImmediate(() => transaction.db.onclose?.(new Event("close")));
      }
      return request;
    });
    expect(value).toBe(1);
  });

  it("is not assumed when the work itself throws", async () => {
    const { database } = watchedDatabase();
    const work = vi.fn<() => never>(() => {
      throw new TypeError("a mistake");
    });
    await errorOf(() => database.run([ENTRIES], "readwrite", work));
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe("A released database", () => {
  it("opens again at the next operation, without a reset", async () => {
    const connections = watchConnections();
    const { database, onReset } = watchedDatabase();
    await put(database, "a", 1);
    database.release();
    expect(await get(database, "a")).toBe(1);
    expect(connections).toHaveLength(2);
    expect(onReset).not.toHaveBeenCalled();
  });

  it("completes the transactions under way", async () => {
    const { database } = watchedDatabase();
    await get(database, "a");
    const writing = put(database, "a", 1);
    await Promise.resolve();
    database.release();
    await writing;
    expect(await get(database, "a")).toBe(1);
  });
});
