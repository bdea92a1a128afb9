import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import type { EntryRow } from "../model/row.ts";
import { codeOf, errorOf } from "../testing/errors.ts";
import { Reader } from "./reader.ts";
import { MemoryCache } from "./memory-cache.ts";
import type { Notice } from "../tabs/channel.ts";
import { allRows, loseStorage, openDatabase, putRows, watchConnections, watchTransactions } from "../testing/indexeddb.ts";
import { entryRow } from "../testing/rows.ts";
import { DATABASE, listen, turns, until, usePage } from "../testing/stores.ts";

const page = usePage();

/** A reader by itself, and its memory. */
function setUpReader(cacheSize = 10): { reader: Reader; memory: MemoryCache } {
  const memory = new MemoryCache(cacheSize);
  const database = openDatabase(DATABASE);
  const nothing = (): void => undefined;
  return { memory, reader: new Reader({ database, memory, emit: nothing, onUse: nothing, removeExpired: async () => true }) };
}

/** Changes what lies in the database waitsFor the store's back. */
async function damage(key: string, change: Partial<Record<keyof EntryRow, unknown>>): Promise<void> {
  const database = openDatabase(DATABASE);
  const row = (await allRows(database))[key];
  await putRows(database, { [key]: { ...row, ...change } });
  database.release();
}

describe("a read", () => {
  it("is answered from memory after a write, without a transaction", async () => {
    const store = page.open();
    await store.store("k", 1);
    await turns();
    const transactions = watchTransactions();
    expect(await store.retrieve("k")).toBe(1);
    expect(transactions).not.toHaveBeenCalled();
    expect(store.getCacheStats()).toMatchObject({ hits: 1, misses: 0, size: 1, keys: ["k"] });
  });

  it("past memory is checked against the checksum", async () => {
    const store = page.open();
    await store.store("k", 1);
    await damage("k", { payload: "2" });
    expect(await store.retrieve("k")).toBe(1);
    expect(await codeOf(() => store.retrieve("k", { useCache: false }))).toBe("CHECKSUM_MISMATCH");
  });

  it("never asks the network", async () => {
    const store = page.open();
    await Promise.all([store.retrieve("a"), store.bulkRetrieve(["a", "b"]), store.exists("a"), store.getMetadata("a"), store.listKeys()]);
    expect(page.nats.dials).toBe(0);
  });

  it("tells null, false, 0 and the empty string from nothing", async () => {
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

  it("keeps the order asked, each key once", async () => {
    const store = page.open();
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    expect([...(await store.bulkRetrieve(["c", "a", "c", "b"])).keys()]).toEqual(["c", "a", "b"]);
  });
});

describe("cold reads", () => {
  it("that are asked for in one turn share a transaction", async () => {
    const before = page.open();
    await before.bulkStore({ a: 1, b: 2, c: 3 });
    await before.close();
    const store = page.open();
    // Nothing goes on in the background after that.
    await store.flush();
    const transactions = watchTransactions();
    expect(await Promise.all([store.retrieve("a"), store.retrieve("b"), store.bulkRetrieve(["c", "a"]), store.exists("b")])).toEqual([
      1,
      2,
      new Map([
        ["c", 3],
        ["a", 1],
      ]),
      true,
    ]);
    expect(transactions).toHaveBeenCalledTimes(1);
  });

  it("fill memory, those past it do not", async () => {
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
    // However the two interleave: the read is begun a bit later each time.
    for (let delay = 0; delay < 12; delay++) {
      const writing = write(store);
      await turns(delay);
      await Promise.all([store.retrieve("k"), writing]);
      expect(await store.retrieve("k")).toBe(expected);
      await other.store("k", "old");
      await turns();
    }
  });
});

describe("another tab's write", () => {
  it("is what is read next", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    expect(await other.retrieve("k")).toBe(1);
    await one.store("k", 2);
    await until(() => other.getCacheStats().size === 0);
    expect(await other.retrieve("k")).toBe(2);
    await one.delete("k");
    await until(() => other.getCacheStats().size === 0);
    expect(await other.retrieve("k")).toBeUndefined();
  });

  it("is what is read next, though it is heard of before this tab's own earlier one is known to be committed", async () => {
    const connections = watchConnections();
    const other = page.open();
    await other.store("another", 0);
    const [theirs] = connections;
    const one = page.open();
    const database = openDatabase(DATABASE);
    // The browser tells a page of its transaction's end when it comes to it, here only after the other tab's message.
    const { transaction: begin } = IDBDatabase.prototype;
    let overtaking: Promise<boolean> | undefined;
    let overtake = async (): Promise<void> => {
      overtake = async () => undefined;
      // Queued waitsFor the older one, which is being sent.
      overtaking = other.store("k", "newer");
      await until(async () => (await allRows(database))["k"]?.version === 2);
      await turns();
    };
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...given) {
      const transaction = begin.apply(this, given);
      queueMicrotask(() => {
        const { oncomplete } = transaction;
        if (oncomplete !== null && this !== theirs?.database)
          transaction.oncomplete = (event) => void overtake().then(() => oncomplete.call(transaction, event));
      });
      return transaction;
    });
    await one.store("k", "older");
    expect(await one.retrieve("k")).toBe("newer");
    expect(await overtaking).toBe(true);
  });

  it("is what is read next, though the tab died before it told of it", async () => {
    const other = page.open();
    await turns();
    const one = page.open();
    await turns();
    await one.store("k", "old");
    const post = vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(() => undefined);
    await other.store("k", "new");
    page.nats.dialling = "refuses";
    await other.close();
    post.mockRestore();
    await until(async () => (await one.retrieve("k")) !== "old");
    expect(await one.retrieve("k")).toBe("new");
  });

  it("is what is read next, once somebody else has published it", async () => {
    const [one, other] = [page.open(), page.open()];
    await turns(200);
    await one.store("k", "old");
    const { postMessage } = BroadcastChannel.prototype;
    vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(function (this: BroadcastChannel, notice: Notice) {
      if (notice.type !== "written") postMessage.call(this, notice);
    });
    await other.store("k", "new");
    await until(async () => (await one.retrieve("k")) !== "old");
    expect(await one.retrieve("k")).toBe("new");
  });

  it("is what is read next, once this one has published it, though nobody told of it", async () => {
    const [one, other] = [page.open(), page.open()];
    await turns(200);
    await one.store("k", "old");
    await one.flush();
    // As a page that hides tells nothing any more.
    vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(() => undefined);
    page.nats.dialling = "refuses";
    expect(await other.store("k", "new")).toBe(false);
    page.nats.dialling = "answers";
    await one.flush();
    expect(page.nats.log).toEqual(["k@1", "k@2"]);
    expect(await one.retrieve("k")).toBe("new");
  });
});

describe("a version that is told of", () => {
  const cases = [
    ["an older", 1, undefined],
    ["the same", 2, 2],
    ["a newer", 3, 3],
  ] as const;

  it.each(cases)("during the read of %s one (%i) leaves %s in memory", async (_, version, expected) => {
    await putRows(openDatabase(DATABASE), { k: entryRow({ version }) });
    const { reader, memory } = setUpReader();
    const reading = reader.look("k", true);
    reader.forgetOlder({ keys: ["k"], versions: [2] });
    expect(await reading).toMatchObject({ value: "value" });
    expect(memory.rowOf("k")?.version).toBe(expected);
  });

  it.each(cases)("during the commit of %s one (%i) leaves %s in memory", (_, version, expected) => {
    const { reader, memory } = setUpReader();
    reader.expect(["k"]);
    reader.forgetOlder({ keys: ["k"], versions: [2] });
    reader.remember("k", { row: entryRow({ version }), payload: '"value"' });
    expect(memory.rowOf("k")?.version).toBe(expected);
  });
});

describe("when everything is forgotten", () => {
  it("a read under way does not bring the old value back into memory", async () => {
    await putRows(openDatabase(DATABASE), { k: entryRow() });
    const { reader, memory } = setUpReader();
    const reading = reader.look("k", true);
    reader.forgetAll();
    expect(await reading).toMatchObject({ value: "value" });
    expect(memory.rowOf("k")).toBeUndefined();
  });

  it("a commit under way does not bring the old value back into memory", () => {
    const { reader, memory } = setUpReader();
    reader.expect(["k"]);
    reader.forgetAll();
    reader.remember("k", { row: entryRow(), payload: '"value"' });
    expect(memory.rowOf("k")).toBeUndefined();
  });
});

describe("when a key is forgotten", () => {
  it.each([
    ["k", undefined],
    ["another", 1],
  ])("as %s is, a read of k under way leaves version %s in memory", async (forgotten, version) => {
    await putRows(openDatabase(DATABASE), { k: entryRow() });
    const { reader, memory } = setUpReader();
    const reading = reader.look("k", true);
    reader.forget(forgotten);
    await reading;
    expect(memory.rowOf("k")?.version).toBe(version);
  });

  it.each([
    ["k", undefined],
    ["another", 1],
  ])("as %s is, a commit of k under way leaves version %s in memory", (forgotten, version) => {
    const { reader, memory } = setUpReader();
    reader.expect(["k"]);
    reader.forget(forgotten);
    reader.remember("k", { row: entryRow(), payload: '"value"' });
    expect(memory.rowOf("k")?.version).toBe(version);
  });
});

describe("a read that has ended", () => {
  it("is not what a later one gets", async () => {
    const database = openDatabase(DATABASE);
    const { reader } = setUpReader(0);
    for (const payload of ["1", "2"]) {
      await putRows(database, { k: entryRow({ payload }) });
      expect(await reader.look("k", true)).toMatchObject({ value: Number(payload) });
    }
  });
});

describe("a commit of this tab", () => {
  it("during a read stays in memory, whatever the read finds", async () => {
    await putRows(openDatabase(DATABASE), { k: entryRow() });
    const { reader, memory } = setUpReader();
    const reading = reader.look("k", true);
    reader.expect(["k"]);
    reader.remember("k", { row: entryRow({ version: 2 }), payload: '"value"' });
    await reading;
    expect(memory.rowOf("k")?.version).toBe(2);
  });
});

describe("what is damaged", () => {
  it("is CHECKSUM_MISMATCH with an event at every read, until the key is stored anew", async () => {
    await page.open().store("k", "value");
    await damage("k", { payload: '"evil!"' });
    const store = page.open();
    const events = listen(store);
    for (let read = 1; read <= 2; read++) {
      expect(await errorOf(() => store.retrieve("k"))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
      expect(events.filter(({ type }) => type === "corrupt")).toHaveLength(read);
    }
    await damage("k", { version: -1 });
    expect(await errorOf(() => store.getMetadata("k"))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
    expect(events.filter(({ type }) => type === "corrupt")).toHaveLength(3);
    await store.store("k", "anew");
    expect(await page.open().retrieve("k")).toBe("anew");
  });

  it("is left out by bulkRetrieve, with its event", async () => {
    await page.open().bulkStore({ a: 1, b: 2 });
    await damage("a", { checksum: "0".repeat(64) });
    const store = page.open();
    const events = listen(store);
    expect(await store.bulkRetrieve(["a", "b"])).toEqual(new Map([["b", 2]]));
    expect(events).toMatchObject([{ type: "corrupt", detail: { key: "a" } }]);
  });

  it.each<[string, unknown]>([
    ["no object", 5],
    ["an empty object", {}],
    ["an entry of an unknown format", { ...entryRow(), format: "pickle" }],
    ["an entry without write id", { ...entryRow(), writeId: undefined }],
    ["an entry with a time that is none", { ...entryRow(), createdAt: Number.NaN }],
    ["an entry with tags that are none", { ...entryRow(), tags: [5] }],
  ])("is no reason to reject with anything but that: %s", async (_, row) => {
    await putRows(openDatabase(DATABASE), { k: row });
    const store = page.open();
    expect(await codeOf(() => store.retrieve("k"))).toBe("CHECKSUM_MISMATCH");
    expect(await store.bulkRetrieve(["k"])).toEqual(new Map());
    expect(await store.store("k", 1)).toBe(true);
    expect(await store.retrieve("k", { useCache: false })).toBe(1);
  });
});

describe("an entry that has expired", () => {
  it("is absent for every operation from that moment, in memory and out of it", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60, tags: ["t"] });
    const { expiresAt } = (await store.getMetadata("k")) ?? {};
    expect(expiresAt).toBeInstanceOf(Date);
    const { now } = Date;
    Date.now = () => Number(expiresAt);
    try {
      for (const reader of [store, page.open()]) {
        expect(await reader.retrieve("k")).toBeUndefined();
        expect(await reader.exists("k")).toBe(false);
        expect(await reader.getMetadata("k")).toBeUndefined();
        expect(await reader.listKeys()).toEqual([]);
        expect(await reader.listKeys("*", { tag: "t" })).toEqual([]);
        expect(await reader.bulkRetrieve(["k"])).toEqual(new Map());
      }
      expect(await store.delete("k")).toBe(false);
    } finally {
      Date.now = now;
    }
  });

  it("is not revived by a clock that jumps back after it was read as absent", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    const { now } = Date;
    Date.now = () => now() + 61_000;
    try {
      expect(await store.retrieve("k")).toBeUndefined();
      await store.sweep();
    } finally {
      Date.now = now;
    }
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it.each([
    ["before its row is removed", () => () => undefined],
    ["after its row could not be removed", loseStorage],
  ])("is not revived by a clock that jumps back %s", async (_, lose) => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    expect(await store.retrieve("k")).toBeUndefined();
    clock.mockRestore();
    const find = lose();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it("is a matter of ttl also where the clock says that it is before 1970", async () => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(-1_000_000);
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    expect([await store.retrieve("k", { useCache: false }), await store.listKeys(), (await store.getMetadata("k"))?.ttl]).toEqual([
      1,
      ["k"],
      60,
    ]);
    clock.mockReturnValue(-940_000);
    expect([await store.retrieve("k"), await store.listKeys()]).toEqual([undefined, []]);
  });

  it("does not hide what another tab has stored under its key since, though nobody told of it", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    expect(await store.retrieve("k")).toBeUndefined();
    const find = loseStorage();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    // In the back/forward cache nothing is heard.
    page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    await page.open().store("k", 2);
    page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect([await store.retrieve("k"), await store.listKeys()]).toEqual([2, ["k"]]);
    clock.mockRestore();
  });
});
