import { describe, expect, it, vi } from "vitest";
import { LONG_AGO } from "../../model/row.ts";
import { allRows, openDatabase, putRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import type { Database } from "../idb/database.ts";
import type { WriteState } from "../outbox/outbox-record.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";

useFreshIndexedDB();

const confirmed: SweepPorts["stateOf"] = async () => undefined;

/** Sweeps at `NOW`. */
function sweepNow(database: Database, stateOf = confirmed, onExpired: SweepPorts["onExpired"] = () => undefined): Promise<number> {
  return sweep({ database, clock: { now: () => NOW }, stateOf, onExpired });
}

describe("A sweep", () => {
  it("removes the entries that have expired, and resolves with their number", async () => {
    const database = openDatabase();
    await putRows(database, {
      a: entryRow({ expiresAt: NOW }),
      b: entryRow({ expiresAt: NOW - 1 }),
      c: entryRow({ expiresAt: NOW + 1 }),
      d: entryRow(),
    });
    expect(await sweepNow(database)).toBe(2);
    expect(Object.keys(await allRows(database))).toEqual(["c", "d"]);
    expect(await sweepNow(database)).toBe(0);
  });

  it("removes tombstones of confirmed deletes without counting them", async () => {
    const database = openDatabase();
    await putRows(database, { a: tombstone(3) });
    expect(await sweepNow(database)).toBe(0);
    expect(await allRows(database)).toEqual({});
  });

  it.each<WriteState>(["sending", "queued", "rejected"])(
    "keeps an expired entry that is %s, and marks it as expired for any clock",
    async (state) => {
      const database = openDatabase();
      await putRows(database, { a: entryRow({ expiresAt: NOW }), t: tombstone(2) });
      expect(await sweepNow(database, async () => state)).toBe(0);
      const rows = await allRows(database);
      expect(rows["a"]).toMatchObject({ ...entryRow({ expiresAt: NOW }), expiresAt: LONG_AGO });
      expect(rows["t"]).toEqual(tombstone(2));
      // A clock that has gone back.
      expect(await sweep({ database, clock: { now: () => NOW - 1_000_000 }, stateOf: confirmed, onExpired: () => undefined })).toBe(1);
    },
  );

  it("asks for the state of each entry by its write id", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1, writeId: ["x", 5] }), b: entryRow({ expiresAt: 1, writeId: ["y", 6] }) });
    expect(await sweepNow(database, async (_, [instanceId]) => (instanceId === "x" ? "queued" : undefined))).toBe(1);
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });

  it("reports expired keys before it removes them, except the keys that were marked before", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1 }), b: entryRow(), marked: entryRow({ expiresAt: LONG_AGO }), t: tombstone(2) });
    const told: (readonly string[])[] = [];
    let there: Promise<Record<string, unknown>> = Promise.resolve({});
    const onExpired = (keys: readonly string[]): void => {
      told.push(keys);
      there = allRows(database);
    };
    expect(await sweepNow(database, confirmed, onExpired)).toBe(2);
    expect(told).toEqual([["a"]]);
    expect(Object.keys(await there)).toEqual(["a", "b", "marked", "t"]);
  });

  it("keeps an expired entry for its keepMs, marks it once, and does not load it again before it removes it", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: NOW - 1, keepMs: 1_000 }), b: entryRow({ expiresAt: NOW - 1_000, keepMs: 1_000 }) });
    const told: (readonly string[])[] = [];
    expect(await sweepNow(database, confirmed, (keys) => told.push(keys))).toBe(1);
    const kept = entryRow({ expiresAt: LONG_AGO + NOW + 999, keepMs: 1_000 });
    expect((await allRows(database))["a"]).toMatchObject(kept);
    expect(told).toEqual([["b", "a"]]);

    const transactions = watchTransactions();
    const sweepAt = (now: number): Promise<number> =>
      sweep({ database, clock: { now: () => now }, stateOf: confirmed, onExpired: (keys) => told.push(keys) });
    expect([await sweepAt(NOW + 998), await sweepAt(NOW - 1_000_000)]).toEqual([0, 0]);
    expect(writesAmong(transactions)).toBe(0);
    expect((await allRows(database))["a"]).toMatchObject(kept);
    expect(await sweepAt(NOW + 999)).toBe(1);
    expect(await allRows(database)).toEqual({});
    expect(told).toHaveLength(1);
  });

  it("keeps an expired entry that is queued after its keepMs, until the write is confirmed", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: NOW - 1, keepMs: 1_000 }) });
    const sweepAt = (now: number, state?: WriteState): Promise<number> =>
      sweep({ database, clock: { now: () => now }, stateOf: async () => state, onExpired: () => undefined });
    await sweepAt(NOW, "queued");
    await sweepAt(NOW + 5_000, "queued");
    expect((await allRows(database))["a"]).toMatchObject({ expiresAt: LONG_AGO });
    expect(await sweepAt(NOW + 5_000)).toBe(1);
  });

  it("removes entries within their keepMs when the disk is full", async () => {
    const database = openDatabase();
    await putRows(database, {
      marked: entryRow({ expiresAt: LONG_AGO + NOW + 999, keepMs: 1_000 }),
      unmarked: entryRow({ expiresAt: NOW - 1, keepMs: 1_000 }),
    });
    expect(await sweep({ database, clock: { now: () => NOW }, stateOf: confirmed, onExpired: () => undefined }, true)).toBe(2);
  });

  it("works in bounded batches", async () => {
    const database = openDatabase();
    await putRows(database, Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`k${n}`, entryRow({ expiresAt: 1 })])));
    const transactions = watchTransactions();
    expect(await sweepNow(database)).toBe(450);
    expect(writesAmong(transactions)).toBe(3);
  });

  it("keeps an entry that is stored again while the sweep runs", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1 }) });
    const run = database.run.bind(database);
    vi.spyOn(database, "run").mockImplementationOnce(async (...args) => {
      const keys = await run(...args);
      await putRows(database, { a: entryRow({ version: 2 }) });
      return keys;
    });
    expect(await sweepNow(database)).toBe(0);
    expect((await allRows(database))["a"]?.version).toBe(2);
  });
});
