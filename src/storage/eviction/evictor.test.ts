import { IDBIndex, IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { allRows, loseAnswer, openDatabase, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import type { EntryRow } from "../../model/row.ts";
import { entryRow, NOW } from "../../testing/rows.ts";
import { addRows } from "../entries/write.ts";
import { Evictor, type EvictorOptions } from "./evictor.ts";
import { BLOCK_ENTRIES } from "../entries/block-record.ts";
import type { WriteState } from "../outbox/outbox-record.ts";
import { ENTRIES, RECORD_BYTES } from "../idb/schema.ts";
import { Uses } from "./uses.ts";
import { FakeClock } from "../../testing/fake-clock.ts";

useFreshIndexedDB();

/** An evictor of a database with entries k0, k1 … of 100 bytes each, used in that order. */
async function setUp(count: number, given: Partial<EvictorOptions> = {}) {
  const database = openDatabase();
  const keys = Array.from({ length: count }, (_, n) => `k${n}`);
  const rows = new Map(keys.map((key, n) => [key, { ...entryRow({ size: 100, lastUsed: NOW + n }), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  const clock = new FakeClock();
  clock.wallTime = NOW + 1_000_000;
  const uses = new Uses({ database, clock, isLimited: false });
  const evictor = new Evictor({
    database,
    clock,
    uses,
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

describe("An eviction", () => {
  it("loads only the entries that it evicts", async () => {
    const { evictor, gone } = await setUp(50, { maxEntries: 48 });
    const loaded = vi.spyOn(IDBIndex.prototype, "get");
    evictor.remeasure();
    await evictor.settled();
    expect(loaded).toHaveBeenCalledTimes(2);
    expect(await gone()).toEqual(["k0", "k1"]);
  });

  it("removes exactly the excess, in the order of use, also from blocks", async () => {
    const { evictor, gone } = await setUp(70, { maxEntries: 50 });
    evictor.remeasure();
    await evictor.settled();
    expect(await gone()).toEqual(numbered(0, 20));
  });
});

it("A database that grows while it is measured is measured again", async () => {
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

it("Entries that are added after the last look at the usage are counted", async () => {
  let addEntry: (() => Promise<void>) | undefined;
  const { database, evictor, gone } = await setUp(3, {
    maxEntries: 3,
    alone: async (work) => {
      await work();
      const add = addEntry;
      addEntry = undefined;
      await add?.();
    },
  });
  addEntry = async () => {
    const rows = new Map([["new", { ...entryRow({ size: 100, lastUsed: NOW + 3 }), key: "new" }]]);
    await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
    evictor.grew({ entries: 1, bytes: 100 });
  };
  evictor.remeasure();
  await evictor.settled();
  expect(await gone()).toEqual(["k0"]);
});

it("An unconfirmed entry is evicted after its confirmation once another tab has changed the database", async () => {
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

it("An eviction that the browser committed but reported as lost is reported, and not repeated", async () => {
  const told: string[] = [];
  const { evictor, gone } = await setUp(6, { maxEntries: 4, onEvicted: (keys) => told.push(...keys) });
  loseAnswer();
  evictor.remeasure();
  await evictor.settled();
  vi.restoreAllMocks();
  expect(told).toEqual(["k0", "k1"]);
  expect(await gone()).toEqual(["k0", "k1"]);
});

it.each([
  ["small entries", 20],
  ["large entries", 20_000],
])("Room for a write costs as many %s as the write needs, and no more", async (_, size) => {
  const { database, evictor } = await setUp(0);
  const rows = new Map(numbered(0, 50).map((key, n) => [key, { ...entryRow({ payload: "x".repeat(size), lastUsed: NOW + n }), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  await evictor.makeRoom(2 * (size + RECORD_BYTES), []);
  expect(Object.keys(await allRows(database))).toHaveLength(48);
});

it("Room on a full disk counts the compressed size of entries", async () => {
  const { database, evictor } = await setUp(0);
  const row = (n: number): EntryRow => entryRow({ payload: new Uint8Array(1_000), encoding: "gzip", size: 200_000, lastUsed: NOW + n });
  const rows = new Map(numbered(0, 50).map((key, n) => [key, { ...row(n), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  await evictor.makeRoom(10 * (1_000 + RECORD_BYTES), []);
  expect(Object.keys(await allRows(database))).toHaveLength(40);
});

describe("On a full disk", () => {
  /** As in Chromium, only a transaction that writes fails; one that only deletes succeeds. */
  function fill(): void {
    for (const how of ["add", "put"] as const) {
      vi.spyOn(IDBObjectStore.prototype, how).mockImplementation(() => {
        throw new DOMException("full", "QuotaExceededError");
      });
    }
  }

  it("a block is evicted as a whole, since a smaller block in its place would need room", async () => {
    const { evictor, gone } = await setUp(64);
    fill();
    expect(await evictor.makeRoom(250, [])).toBe(true);
    expect(await gone()).toEqual(numbered(0, BLOCK_ENTRIES));
  });

  it("a block with an entry that has to stay is skipped, and a block that was used since is evicted last", async () => {
    const { evictor, uses, gone } = await setUp(64);
    uses.note("k1");
    fill();
    expect(await evictor.makeRoom(250, ["k20"])).toBe(true);
    expect(await gone()).toEqual(numbered(32, 48));
    expect(await evictor.makeRoom(12_000, ["k20"])).toBe(true);
    expect(await gone()).toEqual([...numbered(0, 16), ...numbered(32, 64)]);
  });

  it("room is made although an expired entry is not confirmed", async () => {
    const { database, evictor, gone } = await setUp(64, {
      stateOf: async (_, [instanceId]) => (instanceId === "me" ? "queued" : undefined),
    });
    const expired = { ...entryRow({ expiresAt: NOW, lastUsed: NOW - 1, writeId: ["me", 1] }), key: "expired" };
    await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, new Map([["expired", expired]])));
    fill();
    expect(await evictor.makeRoom(250, [])).toBe(true);
    expect(await gone()).toEqual(numbered(0, BLOCK_ENTRIES));
  });

  it("a part of a block is evicted only when nothing else can be", async () => {
    const { evictor, gone } = await setUp(64);
    const kept = numbered(0, 64).filter((_, n) => n % BLOCK_ENTRIES === 0);
    expect(await evictor.makeRoom(1_500, kept)).toBe(true);
    expect(await gone()).toEqual(["k1", "k2", "k3"]);
    fill();
    await expect(evictor.makeRoom(250, kept)).rejects.toThrow(/full/);
  });
});
