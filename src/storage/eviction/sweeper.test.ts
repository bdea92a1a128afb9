import { describe, expect, it, vi } from "vitest";
import { LONG_AGO } from "../../model/row.ts";
import { allRows, openDatabase, putRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import type { WriteState } from "../outbox/outbox-table.ts";
import { sweep, type SweepPorts } from "./sweeper.ts";

useFreshIndexedDB();

const ports = (stateOf: SweepPorts["stateOf"]): SweepPorts => ({ stateOf, onExpired: () => undefined });
const confirmed = ports(async () => undefined);

describe("a sweep", () => {
  it("removes what has expired now, and says how many", async () => {
    vi.spyOn(Date, "now").mockReturnValue(NOW);
    const database = openDatabase();
    await putRows(database, {
      a: entryRow({ expiresAt: NOW }),
      b: entryRow({ expiresAt: NOW - 1 }),
      c: entryRow({ expiresAt: NOW + 1 }),
      d: entryRow(),
    });
    expect(await sweep(database, confirmed)).toBe(2);
    expect(Object.keys(await allRows(database))).toEqual(["c", "d"]);
    expect(await sweep(database, confirmed)).toBe(0);
  });

  it("removes tombstones of confirmed deletes, and does not count them", async () => {
    const database = openDatabase();
    await putRows(database, { a: tombstone(3) });
    expect(await sweep(database, confirmed)).toBe(0);
    expect(await allRows(database)).toEqual({});
  });

  it.each<WriteState>(["sending", "queued", "rejected"])("keeps what is %s, but so that no clock can revive it", async (state) => {
    const database = openDatabase();
    const now = vi.spyOn(Date, "now").mockReturnValue(NOW);
    await putRows(database, { a: entryRow({ expiresAt: NOW }), t: tombstone(2) });
    expect(
      await sweep(
        database,
        ports(async () => state),
      ),
    ).toBe(0);
    const rows = await allRows(database);
    expect(rows["a"]).toMatchObject({ ...entryRow({ expiresAt: NOW }), expiresAt: LONG_AGO });
    expect(rows["t"]).toEqual(tombstone(2));
    now.mockReturnValue(NOW - 1_000_000);
    expect((await allRows(database))["a"]?.expiresAt).toBe(LONG_AGO);
    expect(await sweep(database, confirmed)).toBe(1);
  });

  it("asks for each entry by the id of its write", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1, writeId: ["x", 5] }), b: entryRow({ expiresAt: 1, writeId: ["y", 6] }) });
    expect(
      await sweep(
        database,
        ports(async (_, [instanceId]) => (instanceId === "x" ? "queued" : undefined)),
      ),
    ).toBe(1);
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });

  it("tells of what has expired while it is still there, but not of what was marked so before", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1 }), b: entryRow(), marked: entryRow({ expiresAt: LONG_AGO }), t: tombstone(2) });
    const told: (readonly string[])[] = [];
    let there: Promise<Record<string, unknown>> = Promise.resolve({});
    const onExpired = (keys: readonly string[]): void => {
      told.push(keys);
      there = allRows(database);
    };
    expect(await sweep(database, { ...confirmed, onExpired })).toBe(2);
    expect([told, Object.keys(await there)]).toEqual([[["a"]], ["a", "b", "marked", "t"]]);
  });

  it("works in bounded batches", async () => {
    const database = openDatabase();
    await putRows(database, Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`k${n}`, entryRow({ expiresAt: 1 })])));
    const transactions = watchTransactions();
    expect(await sweep(database, confirmed)).toBe(450);
    expect(writesAmong(transactions)).toBe(3);
  });

  it("leaves alone what was stored anew while it was about to be swept", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ expiresAt: 1 }) });
    const run = database.run.bind(database);
    vi.spyOn(database, "run").mockImplementationOnce(async (...args) => {
      const keys = await run(...args);
      await putRows(database, { a: entryRow({ version: 2 }) });
      return keys;
    });
    expect(await sweep(database, confirmed)).toBe(0);
    expect((await allRows(database))["a"]?.version).toBe(2);
  });
});
