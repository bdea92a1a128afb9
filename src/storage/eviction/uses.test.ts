import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import type { EntryRow } from "../../model/row.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { allRows, openDatabase, resultOf, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow, NOW } from "../../testing/rows.ts";
import { measureLiving } from "../entries/usage.ts";
import { addRows } from "../entries/write.ts";
import { ENTRIES } from "../idb/schema.ts";
import { Uses } from "./uses.ts";

useFreshIndexedDB();

const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `k${from + n}`);

/** Entries k0, k1 … of 100 bytes each, used in that order, and a clock that is later. */
async function setUp(count: number, isLimited = false) {
  const database = openDatabase();
  const rows = new Map(numbered(0, count).map((key, n) => [key, { ...entryRow({ size: 100, lastUsed: NOW + n }), key }]));
  await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
  const clock = new FakeClock();
  clock.wallTime = NOW + 1_000_000;
  return { database, clock, uses: new Uses({ database, clock, isLimited }) };
}

describe("Uses", () => {
  it("are written in bounded batches, and stay noted when a batch fails", async () => {
    const { database, uses } = await setUp(250);
    for (const key of numbered(0, 250)) uses.note(key);
    const transactions = watchTransactions();
    await uses.write();
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
    await expect(uses.write()).rejects.toThrow(/unreadable/);
    expect(uses.unwritten.size).toBe(150);
  });

  it("do not replace later uses", async () => {
    const { database, uses } = await setUp(1);
    uses.note("k0");
    const lastUsed = NOW + 2_000_000;
    await database.run(
      [ENTRIES],
      "readwrite",
      (transaction) => void transaction.objectStore(ENTRIES).put({ ...entryRow({ lastUsed }), keys: "k0" }, "k0"),
    );
    await uses.write();
    expect((await allRows(database))["k0"]).toMatchObject({ lastUsed });
  });

  it("do not change a damaged entry", async () => {
    const { database, uses } = await setUp(2);
    const broken = { version: 4, was: "a row", keys: "broken" };
    await database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(broken, "broken"));
    uses.note("broken");
    await uses.write();
    expect(
      await database.run([ENTRIES], "readonly", (transaction) => resultOf<unknown>(transaction.objectStore(ENTRIES).get("broken"))),
    ).toEqual(broken);
    expect(await measureLiving(database, NOW)).toEqual({ entries: 2, bytes: 200 });
  });

  it("are written 1 s after the first of them when there are limits", async () => {
    const { database, uses, clock } = await setUp(2, true);
    uses.note("k0");
    await clock.advance(500);
    uses.note("k1");
    const written = new Promise((resolve) => {
      const run = database.run.bind(database);
      vi.spyOn(database, "run").mockImplementationOnce(async (...given) => resolve(await run(...given)));
    });
    await clock.advance(500);
    await written;
    expect(uses.unwritten.size).toBe(0);
    for (const row of Object.values(await allRows(database))) expect((row as EntryRow).lastUsed).toBeGreaterThanOrEqual(NOW + 1_000_000);
  });

  it("are not written by themselves when there are no limits", async () => {
    const { uses, clock } = await setUp(1);
    const { timers } = clock;
    uses.note("k0");
    expect(clock.timers).toBe(timers);
    expect(uses.unwritten).toEqual(new Set(["k0"]));
  });
});
