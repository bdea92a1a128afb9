import { IDBDatabase, IDBIndex, IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { allRows, loseAnswer, openDatabase, resultOf, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import type { EntryRow } from "../../model/row.ts";
import { entryRow, NOW } from "../../testing/rows.ts";
import { turns, until, usePage } from "../../testing/stores.ts";
import { measureLiving } from "../entries/entry-index.ts";
import { addRows } from "../entries/entry-writes.ts";
import { Evictor, type EvictorOptions } from "./evictor.ts";
import { BLOCK_ENTRIES } from "../entries/entry-table.ts";
import type { WriteState } from "../outbox/outbox-table.ts";
import { ENTRIES, RECORD_BYTES } from "../idb/schema.ts";
import { UseLog } from "./use-log.ts";

const page = usePage();

describe("eviction", () => {
  it("stops at the limit of entries, and takes those used least recently", async () => {
    const store = page.open({ maxEntries: 3, cacheSize: 0 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.store("d", 1);
    await until(async () => (await store.listKeys()).length <= 3);
    await turns();
    expect(await store.listKeys()).toEqual(["a", "c", "d"]);
  });

  it("counts a read from memory, and one past it, as a use", async () => {
    const store = page.open({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.retrieve("b", { useCache: false });
    await store.store("d", 1);
    await until(async () => (await store.listKeys()).length <= 3);
    expect(await store.listKeys()).toEqual(["a", "b", "d"]);
  });

  it("stops at the limit of bytes", async () => {
    const store = page.open({ maxBytes: 25 });
    for (const key of ["a", "b", "c"]) await store.store(key, "12345678", { format: "text" });
    await store.store("d", "1234567890", { format: "text" });
    await until(async () => (await store.getStorageStats()).bytes <= 25);
    await turns();
    expect(await store.listKeys()).toEqual(["c", "d"]);
  });

  it("takes what has expired first", async () => {
    const store = page.open({ maxEntries: 2 });
    await store.store("old", 1);
    await store.store("expires", 1, { ttl: 60 });
    const { now } = Date;
    Date.now = () => now() + 61_000;
    try {
      await store.store("new", 1);
      await turns(200);
      expect(await store.listKeys()).toEqual(["new", "old"]);
    } finally {
      Date.now = now;
    }
  });

  it("never takes what is not confirmed, and makes up for that once it is", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ maxEntries: 2 });
    for (const key of ["a", "b", "c", "d"]) await store.store(key, 1);
    await turns(200);
    expect(await store.listKeys()).toEqual(["a", "b", "c", "d"]);
    page.nats.dialling = "answers";
    page.events.dispatchEvent(new Event("online"));
    await until(async () => (await store.listKeys()).length <= 2);
    expect(page.nats.log.toSorted()).toEqual(["a@1", "b@1", "c@1", "d@1"]);
  });

  it("takes an entry out of memory too", async () => {
    const store = page.open({ maxEntries: 1 });
    await store.store("a", 1);
    await store.store("b", 1);
    await until(async () => (await store.listKeys()).length <= 1);
    await until(() => store.getCacheStats().size <= 1);
    expect(await store.retrieve("a")).toBeUndefined();
  });
});

/** An evictor of a database with entries k0, k1 … of 100 bytes each, used in that order. */
async function setUp(count: number, given: Partial<EvictorOptions> = {}) {
  const database = openDatabase();
  const keys = Array.from({ length: count }, (_, n) => `k${n}`);
  const rows = new Map(keys.map((key, n) => [key, { ...entryRow({ size: 100, lastUsed: NOW + n }), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  const uses = new UseLog();
  const evictor = new Evictor(database, uses, {
    maxEntries: Infinity,
    maxBytes: Infinity,
    stateOf: async () => undefined,
    onExpired: () => undefined,
    onEvicted: () => undefined,
    alone: (work) => work(),
    ...given,
  });
  const gone = async (): Promise<string[]> => {
    const rows = await allRows(database);
    return keys.filter((key) => !(key in rows));
  };
  return { database, evictor, uses, gone };
}

const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `k${from + n}`);

describe("what goes", () => {
  it("is all that is loaded, but for the rest of its block", async () => {
    const { evictor, gone } = await setUp(50, { maxEntries: 48 });
    const loaded = vi.spyOn(IDBIndex.prototype, "get");
    evictor.remeasure();
    await evictor.settled();
    expect(loaded).toHaveBeenCalledTimes(2);
    expect(await gone()).toEqual(["k0", "k1"]);
  });

  it("is exactly what is over the limit, in the order of use, out of blocks too", async () => {
    const { evictor, gone } = await setUp(70, { maxEntries: 50 });
    evictor.remeasure();
    await evictor.settled();
    expect(await gone()).toEqual(numbered(0, 20));
  });
});

it("what grows while it is measured is measured again", async () => {
  const { database, evictor, gone } = await setUp(3, { maxEntries: 3 });
  const run = database.run.bind(database);
  vi.spyOn(database, "run").mockImplementationOnce(async (...given) => {
    const usage = await run(...given);
    const rows = new Map([["new", { ...entryRow({ size: 100, lastUsed: NOW + 3 }), key: "new" }]]);
    await run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
    evictor.grew({ entries: 1, bytes: 100 });
    return usage;
  });
  evictor.remeasure();
  await evictor.settled();
  expect(await gone()).toEqual(["k0"]);
});

it("what waited for its confirmation is looked at again once another tab has changed something", async () => {
  let state: WriteState | undefined = "queued";
  const { evictor, gone } = await setUp(3, { maxEntries: 2, stateOf: async () => state });
  evictor.remeasure();
  await evictor.settled();
  state = undefined;
  evictor.grew({ entries: 0, bytes: 0 });
  await evictor.settled();
  expect(await gone()).toEqual([]);
  evictor.forgetCount();
  evictor.grew({ entries: 0, bytes: 0 });
  await evictor.settled();
  expect(await gone()).toEqual(["k0"]);
});

it("what the browser evicted, but reported as lost, is told of, and nothing goes in its place", async () => {
  const told: string[] = [];
  const { evictor, gone } = await setUp(6, { maxEntries: 4, onEvicted: (keys) => told.push(...keys) });
  loseAnswer();
  evictor.remeasure();
  await evictor.settled();
  vi.restoreAllMocks();
  expect([told, await gone()]).toEqual([
    ["k0", "k1"],
    ["k0", "k1"],
  ]);
});

describe("uses", () => {
  it("are written down a bounded number at a time, and kept where that fails", async () => {
    const { database, evictor, uses } = await setUp(250);
    for (const key of numbered(0, 250)) uses.note(key);
    const transactions = watchTransactions();
    await evictor.writeUses();
    expect(writesAmong(transactions)).toBe(3);
    transactions.mockRestore();
    const isWritten = async (): Promise<number> =>
      Object.values(await allRows(database)).filter((row) => Number((row as EntryRow).lastUsed) > NOW + 250).length;
    expect(await isWritten()).toBe(250);

    for (const key of numbered(0, 250)) uses.note(key);
    const { transaction: begin } = IDBDatabase.prototype;
    let begun = 0;
    watchTransactions().mockImplementation(function (this: globalThis.IDBDatabase, ...given) {
      if (begun++ > 0) throw new DOMException("unreadable", "NotReadableError");
      return begin.apply(this, given);
    });
    await expect(evictor.writeUses()).rejects.toThrow(/unreadable/);
    expect(uses.unwritten.size).toBe(150);
  });

  it("are not written over later ones", async () => {
    const { database, evictor, uses } = await setUp(1);
    uses.note("k0");
    const lastUsed = Date.now() + 60_000;
    await database.run(
      [ENTRIES],
      "readwrite",
      (transaction) => void transaction.objectStore(ENTRIES).put({ ...entryRow({ lastUsed }), under: "k0" }, "k0"),
    );
    await evictor.writeUses();
    expect((await allRows(database))["k0"]).toMatchObject({ lastUsed });
  });

  it("of what is damaged are none: it stays as it is, and counts as it did", async () => {
    const { database, evictor, uses } = await setUp(2);
    const broken = { version: 4, was: "a row", under: "broken" };
    await database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(broken, "broken"));
    uses.note("broken");
    await evictor.writeUses();
    expect(
      await database.run([ENTRIES], "readonly", (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get("broken"))),
    ).toEqual(broken);
    expect(await measureLiving(database, NOW)).toEqual({ entries: 2, bytes: 200 });
  });
});

it.each([
  ["small entries", 20],
  ["large entries", 20_000],
])("Room for a write takes a number of %s in proportion to the write, not more.", async (_, size) => {
  const { database, evictor } = await setUp(0);
  const rows = new Map(numbered(0, 50).map((key, n) => [key, { ...entryRow({ payload: "x".repeat(size), lastUsed: NOW + n }), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  await evictor.makeRoom(2 * (size + RECORD_BYTES), []);
  expect(Object.keys(await allRows(database))).toHaveLength(48);
});

it("Room on a full disk counts what compressed entries take there, not what they were before.", async () => {
  const { database, evictor } = await setUp(0);
  const row = (n: number): EntryRow => entryRow({ payload: new Uint8Array(1_000), encoding: "gzip", size: 200_000, lastUsed: NOW + n });
  const rows = new Map(numbered(0, 50).map((key, n) => [key, { ...row(n), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  await evictor.makeRoom(10 * (1_000 + RECORD_BYTES), []);
  expect(Object.keys(await allRows(database))).toHaveLength(40);
});

describe("where the storage is full", () => {
  /** As Chromium: a transaction that only deletes is let through. */
  function fill(): void {
    for (const how of ["add", "put"] as const) {
      vi.spyOn(IDBObjectStore.prototype, how).mockImplementation(() => {
        throw new DOMException("full", "QuotaExceededError");
      });
    }
  }

  it("blocks go as a whole, since to tear one takes room", async () => {
    const { evictor, gone } = await setUp(64);
    fill();
    expect(await evictor.makeRoom(250, [])).toBe(true);
    expect(await gone()).toEqual(numbered(0, BLOCK_ENTRIES));
  });

  it("a block of which something has to stay is passed by, and what was used since goes last", async () => {
    const { evictor, uses, gone } = await setUp(64);
    uses.note("k1");
    fill();
    expect(await evictor.makeRoom(250, ["k20"])).toBe(true);
    expect(await gone()).toEqual(numbered(32, 48));
    expect(await evictor.makeRoom(12_000, ["k20"])).toBe(true);
    expect(await gone()).toEqual([...numbered(0, 16), ...numbered(32, 64)]);
  });

  it("room is made though something expired that is not confirmed", async () => {
    const { database, evictor, gone } = await setUp(64, {
      stateOf: async (_, [instanceId]) => (instanceId === "me" ? "queued" : undefined),
    });
    const expired = { ...entryRow({ expiresAt: NOW, lastUsed: NOW - 1, writeId: ["me", 1] }), key: "expired" };
    await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, new Map([["expired", expired]])));
    fill();
    expect(await evictor.makeRoom(250, [])).toBe(true);
    expect(await gone()).toEqual(numbered(0, BLOCK_ENTRIES));
  });

  it("blocks are torn only when nothing else can go", async () => {
    const { evictor, gone } = await setUp(64);
    const kept = numbered(0, 64).filter((_, n) => n % BLOCK_ENTRIES === 0);
    expect(await evictor.makeRoom(1_500, kept)).toBe(true);
    expect(await gone()).toEqual(["k1", "k2", "k3"]);
    fill();
    await expect(evictor.makeRoom(250, kept)).rejects.toThrow(/full/);
  });
});
