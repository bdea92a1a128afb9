import { IDBFactory, IDBDatabase, IDBTransaction } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf, errorOf } from "../../testing/errors.ts";
import { resultOf, useFreshIndexedDB, watchConnections, watchTransactions } from "../../testing/indexeddb.ts";
import { Database, deleteDatabase, NO_REASON } from "./database.ts";
import { ENTRIES, META, OUTBOX, UPGRADES } from "./schema.ts";

useFreshIndexedDB();
// One timer watches all transactions of the module: it must not be a real one of the test before.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(async () => {
  // It stops by itself when nothing is under way.
  await vi.advanceTimersByTimeAsync(5_000);
  if (vi.getTimerCount() > 0) throw new Error("A timer is left waitsFor.");
  vi.useRealTimers();
});

const NAME = "nas-keystore/test";

function open(): {
  database: Database;
  onLost: ReturnType<typeof vi.fn<() => void>>;
  onReset: ReturnType<typeof vi.fn<(reason: string) => void>>;
} {
  const onLost = vi.fn<() => void>();
  const onReset = vi.fn<(reason: string) => void>();
  return { database: new Database(NAME, { onLost, onReset }), onLost, onReset };
}

const put = (database: Database, key: string, value: unknown): Promise<void> =>
  database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(value, key));
const get = (database: Database, key: string): Promise<unknown> =>
  database.run([ENTRIES], "readonly", (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get(key)));

/** Lets the events that are under way happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

describe("a transaction", () => {
  it("gives what its work gives, and keeps what it wrote", async () => {
    const { database } = open();
    await put(database, "a", 1);
    expect(await get(database, "a")).toBe(1);
  });

  it("spans several tables", async () => {
    const { database } = open();
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => {
      transaction.objectStore(ENTRIES).put(1, "a");
      transaction.objectStore(OUTBOX).put(1, ["me", 1]);
    });
    expect(await get(database, "a")).toBe(1);
  });

  it("leaves nothing waitsFor when its work throws, and rejects with that", async () => {
    const { database } = open();
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", async (transaction) => {
        await resultOf(transaction.objectStore(ENTRIES).put(1, "a"));
        throw new RangeError("no more");
      }),
    );
    expect(error.cause).toBeInstanceOf(RangeError);
    expect(await get(database, "a")).toBeUndefined();
  });

  it("resolves when it has completed, not when its last request has", async () => {
    const { database } = open();
    let completed = false;
    await database.run([ENTRIES], "readwrite", (transaction) => {
      transaction.addEventListener("complete", () => (completed = true));
      transaction.objectStore(ENTRIES).put(1, "a");
    });
    expect(completed).toBe(true);
  });

  it("that writes asks to be on the disk when it completes", async () => {
    const transactions = watchTransactions();
    await put(open().database, "a", 1);
    expect(transactions).toHaveBeenLastCalledWith([ENTRIES], "readwrite", { durability: "strict" });
  });

  it("that the browser aborts for lack of space is QUOTA_EXCEEDED and has changed nothing", async () => {
    const { database } = open();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        transaction.objectStore(ENTRIES).put(2, "a");
        abortByBrowser(transaction, new DOMException("full", "QuotaExceededError"));
      }),
    );
    expect(error.code).toBe("QUOTA_EXCEEDED");
    expect(error.cause).toMatchObject({ name: "QuotaExceededError" });
    expect(await get(database, "a")).toBe(1);
  });

  it("is never told to commit: after that, Firefox commits a transaction whose request fails", async () => {
    const commit = vi.spyOn(IDBTransaction.prototype, "commit");
    await put(open().database, "a", 1);
    expect(commit).not.toHaveBeenCalled();
  });

  it("that the browser aborts without a reason is tried once more", async () => {
    const { database } = open();
    let runs = 0;
    await database.run([ENTRIES], "readwrite", (transaction) => {
      transaction.objectStore(ENTRIES).put(2, "a");
      if (++runs === 1) abortByBrowser(transaction, null);
    });
    expect(await get(database, "a")).toBe(2);
  });

  it("that the browser aborts twice without a reason is STORAGE_UNAVAILABLE and has changed nothing", async () => {
    const { database } = open();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        transaction.objectStore(ENTRIES).put(2, "a");
        abortByBrowser(transaction, null);
      }),
    );
    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", cause: NO_REASON });
    expect(await get(database, "a")).toBe(1);
  });

  it("that the browser aborts while its work waits for a request is told by the abort's reason, not the request's", async () => {
    const { database } = open();
    const work = database.run([ENTRIES], "readwrite", async (transaction) => {
      const request = transaction.objectStore(ENTRIES).put(2, "a");
      abortByBrowser(transaction, new DOMException("full", "QuotaExceededError"));
      await resultOf(request);
    });
    expect(await codeOf(() => work)).toBe("QUOTA_EXCEEDED");
  });

  it("in which an add fails is undone by the browser as a whole", async () => {
    const { database } = open();
    await put(database, "a", 1);
    const error = await errorOf(() =>
      database.run([ENTRIES], "readwrite", (transaction) => {
        const entries = transaction.objectStore(ENTRIES);
        entries.put(1, "before");
        entries.add(2, "a");
        entries.put(1, "after");
      }),
    );
    expect(error.cause).toMatchObject({ name: "ConstraintError" });
    expect([await get(database, "before"), await get(database, "a"), await get(database, "after")]).toEqual([undefined, 1, undefined]);
  });
});

describe("a lost connection", () => {
  it("is replaced by a new one, unseen by the caller", async () => {
    const connections = watchConnections();
    const { database, onLost } = open();
    await put(database, "a", 1);
    connections[0]?.lose();
    await turns();
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(await get(database, "a")).toBe(1);
    expect(connections).toHaveLength(2);
  });

  it.each(["InvalidStateError", "UnknownError"])("that shows as %s is retried once, with a new handle", async (name) => {
    const connections = watchConnections();
    const { database, onLost } = open();
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

  it("that is lost again and again is STORAGE_UNAVAILABLE, and the next operation tries anew", async () => {
    const { database } = open();
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

  it("in the middle of a transaction starts that anew, whole", async () => {
    const { database, onLost } = open();
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
    expect([result, await get(database, "a")]).toEqual([2, 2]);
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(connections).toHaveLength(2);
  });

  // The platform that closes a connection by force aborts its transactions with AbortError first, then fires `close`.
  it.each<[string, IDBTransactionMode]>([
    ["read", "readonly"],
    ["write", "readwrite"],
  ])("in the middle of a %s, whose requests fail with AbortError before `close` comes, is retried", async (_, mode) => {
    const { database } = open();
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

  // Seen in Chromium when the site's data is cleared: neither an event of the transaction nor `close`.
  it.each<[string, IDBTransactionMode]>([
    ["read", "readonly"],
    ["write", "readwrite"],
  ])("that falls silent in the middle of a %s is given up within 10 s, and the %s done anew", async (_, mode) => {
    const connections = watchConnections();
    const { database } = open();
    await put(database, "a", 1);
    const silent = silence(connections[0]?.database, () => true);
    const doing = database.run([ENTRIES], mode, (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get("a")));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await doing).toBe(1);
    expect(silent.abort).toHaveBeenCalledTimes(1);
    expect(connections).toHaveLength(2);
  });

  it("that waits on and on, on a connection that answers, is given up after 20 s, and done anew", async () => {
    const connections = watchConnections();
    const { database } = open();
    await put(database, "a", 1);
    const forgotten = silence(connections[0]?.database, (tables) => tables.includes(ENTRIES));
    const doing = database.run([ENTRIES], "readonly", (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get("a")));
    for (let ask = 1; ask <= 4; ask++) {
      expect(forgotten.abort).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(5_000);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    }
    expect(await doing).toBe(1);
    expect(forgotten.abort).toHaveBeenCalledTimes(1);
  });

  it("is not what a transaction has that waits 19 s for its turn", async () => {
    const connections = watchConnections();
    const { database, onLost } = open();
    let isOver = false;
    const long = database.run([ENTRIES], "readwrite", async (transaction) => {
      while (!isOver) await resultOf(transaction.objectStore(ENTRIES).get("a"));
    });
    const waiting = put(database, "a", 1);
    for (let second = 0; second < 19; second++) {
      await vi.advanceTimersByTimeAsync(1_000);
      await turns();
    }
    isOver = true;
    await Promise.all([long, waiting]);
    expect(onLost).not.toHaveBeenCalled();
    expect(connections).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not retried for an error of the work's own", async () => {
    const { database } = open();
    const work = vi.fn<() => never>(() => {
      throw new TypeError("a mistake");
    });
    await errorOf(() => database.run([ENTRIES], "readwrite", work));
    expect(work).toHaveBeenCalledTimes(1);
  });
});

describe("opening", () => {
  it("happens once for operations at the same time", async () => {
    const connections = watchConnections();
    const { database } = open();
    await Promise.all([put(database, "a", 1), put(database, "b", 1), get(database, "a")]);
    expect(connections).toHaveLength(1);
  });

  it("that failed is not kept: the next operation tries again", async () => {
    const { database } = open();
    const broken = vi.spyOn(indexedDB, "open").mockImplementation(() => {
      throw new DOMException("not in this window", "SecurityError");
    });
    const error = await errorOf(() => get(database, "a"));
    expect(error).toMatchObject({ code: "STORAGE_UNAVAILABLE", message: expect.stringContaining("not in this window") as string });
    broken.mockRestore();
    expect(await get(database, "a")).toBeUndefined();
  });

  it("without IndexedDB is STORAGE_UNAVAILABLE that says so", async () => {
    vi.stubGlobal("indexedDB", undefined);
    expect(await errorOf(() => get(open().database, "a"))).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("no IndexedDB") as string,
    });
  });

  it("a database of a newer version says that the page is to be reloaded", async () => {
    const newer = await resultOf(indexedDB.open(NAME, UPGRADES.length + 1));
    newer.close();
    expect(await errorOf(() => get(open().database, "a"))).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("reload the page") as string,
    });
  });

  it("that hangs is given up after 4 s, closed when it comes after all, and tried anew", async () => {
    const { database } = open();
    const hanging = {} as IDBOpenDBRequest;
    const spy = vi.spyOn(indexedDB, "open").mockReturnValueOnce(hanging);
    const failing = errorOf(() => get(database, "a"));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(await failing).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("does not answer. Another tab may hold the database.") as string,
    });
    const close = vi.fn<() => void>();
    Object.assign(hanging, { result: { close } });
    hanging.onsuccess?.(new Event("success"));
    expect(close).toHaveBeenCalledTimes(1);
    spy.mockRestore();
    expect(await get(database, "a")).toBeUndefined();
  });

  it("makes a generation that no other database has", async () => {
    const { database } = open();
    const first = await database.run([META], "readonly", (_, generation) => generation);
    await deleteDatabase(NAME);
    const second = await database.run([META], "readonly", (_, generation) => generation);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).not.toBe(first);
  });
});

describe("a database that another page", () => {
  it("deletes is let go at once, and told as reset when it is opened anew", async () => {
    const { database, onLost, onReset } = open();
    await put(database, "a", 1);
    await deleteDatabase(NAME);
    expect(onLost).toHaveBeenCalledTimes(1);
    expect(onReset).not.toHaveBeenCalled();
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
  });

  it("upgrades is let go at once", async () => {
    const { database, onLost } = open();
    await put(database, "a", 1);
    (await resultOf(indexedDB.open(NAME, UPGRADES.length + 1))).close();
    expect(onLost).toHaveBeenCalledTimes(1);
  });

  it("holds open cannot be deleted, which is said after 4 s", async () => {
    const holder = await resultOf(indexedDB.open(NAME, UPGRADES.length));
    const failing = errorOf(() => deleteDatabase(NAME));
    await turns();
    await vi.advanceTimersByTimeAsync(4_000);
    expect(await failing).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("Another tab holds the database.") as string,
    });
    holder.close();
  });

  it("clears, all of the site's data with it, is told as reset", async () => {
    const connections = watchConnections();
    const { database, onReset } = open();
    await put(database, "a", 1);
    connections[0]?.lose();
    await turns();
    vi.stubGlobal("indexedDB", new IDBFactory());
    expect(await get(database, "a")).toBeUndefined();
    expect(onReset).toHaveBeenCalledTimes(1);
  });
});

it("a released database is opened again by the next operation, without a reset", async () => {
  const connections = watchConnections();
  const { database, onReset } = open();
  await put(database, "a", 1);
  database.release();
  expect(await get(database, "a")).toBe(1);
  expect(connections).toHaveLength(2);
  expect(onReset).not.toHaveBeenCalled();
});

it("releasing waits for the transactions under way", async () => {
  const { database } = open();
  await get(database, "a");
  const writing = put(database, "a", 1);
  await Promise.resolve();
  database.release();
  await writing;
  expect(await get(database, "a")).toBe(1);
});

/** As the browser does it: by itself, with a reason or none. */
function abortByBrowser(transaction: globalThis.IDBTransaction, reason: Error | null): void {
  if (!(transaction instanceof IDBTransaction)) throw new Error("fake-indexeddb is not in place");
  transaction.abort();
  Object.defineProperty(transaction, "error", { value: reason });
}

/** From now on a connection's transactions of certain tables say nothing: neither their requests nor they ever end. */
function silence(database: IDBDatabase | undefined, concerns: (tables: readonly string[]) => boolean): { abort: () => void } {
  const silent = { objectStore: () => ({ get: () => ({}) }), abort: vi.fn<() => void>(), db: database };
  const { transaction } = IDBDatabase.prototype;
  vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, tables, ...rest) {
    const isSilent = this === database && concerns(typeof tables === "string" ? [tables] : [...tables]);
    return isSilent ? (silent as unknown as IDBTransaction) : transaction.call(this, tables, ...rest);
  });
  return silent;
}
