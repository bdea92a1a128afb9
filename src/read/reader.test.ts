import { IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import type { EntryRow } from "../model/row.ts";
import { codeOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { allRows, openDatabase, putRows, watchTransactions } from "../testing/indexeddb.ts";
import { DATABASE, usePage } from "../testing/stores.ts";

const page = usePage();

/** Changes a row in the database without the store. */
async function damage(key: string, change: Partial<Record<keyof EntryRow, unknown>>): Promise<void> {
  const database = openDatabase(DATABASE);
  const row = (await allRows(database))[key];
  await putRows(database, { [key]: { ...row, ...change } });
  database.release();
}

/**
 * Begins work when so many requests have been made of IndexedDB, or at once.
 * @returns waits for its end. Begins it if there were fewer requests
 */
function atRequest(count: number, work: () => Promise<unknown>): () => Promise<unknown> {
  let requests = 0;
  let working = count === 0 ? work() : undefined;
  const methods = ["get", "getKey", "getAllKeys", "add", "put", "delete", "openCursor"] as const;
  const spies = methods.map((name) => {
    const method = IDBObjectStore.prototype[name] as (...given: unknown[]) => IDBRequest;
    return vi.spyOn(IDBObjectStore.prototype, name).mockImplementation(function (this: globalThis.IDBObjectStore, ...given: unknown[]) {
      if (++requests === count) working = work();
      return method.apply(this, given) as never;
    });
  });
  return () => {
    spies.forEach((spy) => spy.mockRestore());
    return (working ??= work());
  };
}

describe("A read", () => {
  it("returns a stored value from memory, without a transaction", async () => {
    const store = page.open();
    await store.store("k", 1);
    await store.flush();
    const transactions = watchTransactions();
    expect(await store.retrieve("k")).toBe(1);
    expect(transactions).not.toHaveBeenCalled();
    expect(store.getCacheStats()).toMatchObject({ hits: 1, misses: 0, size: 1, keys: ["k"] });
  });

  it("from IndexedDB verifies the checksum", async () => {
    const store = page.open();
    await store.store("k", 1);
    await damage("k", { payload: "2" });
    expect(await store.retrieve("k")).toBe(1);
    expect(await codeOf(() => store.retrieve("k", { useCache: false }))).toBe("CHECKSUM_MISMATCH");
  });

  it("never opens a connection", async () => {
    const store = page.open();
    await Promise.all([store.retrieve("a"), store.bulkRetrieve(["a", "b"]), store.exists("a"), store.getMetadata("a"), store.listKeys()]);
    expect(page.nats.dials).toBe(0);
  });

  it("distinguishes null, false, 0 and the empty string from an absent key", async () => {
    const store = page.open({ cacheSize: 0 });
    await store.bulkStore({ a: null, b: false, c: 0, d: "" });
    expect(await store.bulkRetrieve(["d", "c", "x", "b", "a"])).toEqual(
      new Map<string, unknown>([
        ["d", ""],
        ["c", 0],
        ["b", false],
        ["a", null],
      ]),
    );
    expect(await store.retrieve("x")).toBeUndefined();
  });

  it("returns each key once, in the given order", async () => {
    const store = page.open();
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    expect([...(await store.bulkRetrieve(["c", "a", "c", "b"])).keys()]).toEqual(["c", "a", "b"]);
  });
});

describe("Reads from IndexedDB", () => {
  it("of one turn share a transaction", async () => {
    const before = page.open();
    await before.bulkStore({ a: 1, b: 2, c: 3 });
    await before.close();
    const store = page.open();
    // Nothing goes on in the background after that.
    await store.flush();
    const transactions = watchTransactions();
    expect(await Promise.all([store.retrieve("a"), store.retrieve("b"), store.retrieve("x")])).toEqual([1, 2, undefined]);
    expect(transactions).toHaveBeenCalledTimes(1);
    expect([...(await store.bulkRetrieve(["c", "b", "a"], { useCache: false }))]).toHaveLength(3);
    expect(transactions).toHaveBeenCalledTimes(2);
  });

  it("fill memory, unless useCache is false", async () => {
    await page.open().bulkStore({ a: 1, b: 2 });
    const store = page.open();
    await store.retrieve("a", { useCache: false });
    expect(store.getCacheStats().keys).toEqual([]);
    await store.exists("a");
    await store.getMetadata("a");
    expect(store.getCacheStats()).toMatchObject({ keys: [], hits: 0, misses: 0 });
    await store.retrieve("a");
    expect(store.getCacheStats()).toMatchObject({ keys: ["a"], hits: 0, misses: 1 });
  });

  it.each<[string, (store: ReturnType<typeof page.open>) => Promise<unknown>, unknown]>([
    ["a store", (store) => store.store("k", "new"), "new"],
    ["a delete", (store) => store.delete("k"), undefined],
    ["a bulk store", (store) => store.bulkStore({ k: "new" }), "new"],
  ])("do not fill memory with what %s has overtaken", async (_, write, expected) => {
    const other = page.open();
    await other.store("k", "old");
    const store = page.open();
    await store.flush();
    // However the two interleave: the read begins at a later request of the write each time.
    for (let requests = 0; requests < 8; requests++) {
      const reading = atRequest(requests, () => store.retrieve("k"));
      await write(store);
      await reading();
      expect(await store.retrieve("k")).toBe(expected);
      await other.store("k", "old");
      await FakeChannel.delivered();
    }
  });
});
