import { describe, expect, it } from "vitest";

import { isDamagedRow, type Row } from "../../model/row.ts";
import { add, change, countRecords, keepOnly, leastUsed, names, readRows, rowOf, rowsOf } from "../../testing/entries.ts";
import { allRows, openDatabase, putRows as putRecords, resultOf, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { NOW } from "../../testing/rows.ts";
import { newCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { BLOCK_ENTRIES } from "./block-record.ts";
import { listKeys } from "./listing.ts";
import { removeStrays } from "./remove.ts";
import { measureLiving } from "./usage.ts";

useFreshIndexedDB();

describe("A damaged record", () => {
  const damage = (database: Database, alter: (record: Record<string, unknown>) => unknown): Promise<void> =>
    database.run([ENTRIES], "readwrite", async (transaction) => {
      const entries = transaction.objectStore(ENTRIES);
      const place = (await resultOf(entries.getAllKeys(IDBKeyRange.lowerBound([]))))[0] as IDBValidKey;
      entries.put(alter((await resultOf(entries.get(place))) as Record<string, unknown>), place);
    });

  it.each<[what: string, alter: (record: Record<string, unknown>) => unknown]>([
    ["without rows", (record) => ({ ...record, rows: undefined })],
    ["with rows that are something else", (record) => ({ ...record, rows: "rows" })],
    ["with too few rows", (record) => ({ ...record, rows: [] })],
    ["with rows of other keys", (record) => ({ ...record, rows: (record["rows"] as unknown[]).toReversed() })],
    ["with rows that are nothing", (record) => ({ ...record, rows: Array.from({ length: BLOCK_ENTRIES }, () => null) })],
  ])("that is a block %s makes each of its entries damaged until the entry is written again", async (_, alter) => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await damage(database, alter);
    const rows = await readRows(database, names(64));
    const damaged = [...rows].flatMap(([key, row]) => (isDamagedRow(row) ? [key] : []));
    expect({ rows: rows.size, damaged: damaged.length }).toEqual({ rows: 64, damaged: BLOCK_ENTRIES });

    const [first, second] = damaged as [string, string];
    await change(
      database,
      new Map([
        [first, rowOf(first)],
        [second, undefined],
      ]),
    );
    const after = await readRows(database, names(64));
    expect(isDamagedRow(after.get(first) as Row)).toBe(false);
    expect(after.has(second)).toBe(false);
    expect(after.size).toBe(63);
    expect([...after.values()].filter(isDamagedRow)).toHaveLength(BLOCK_ENTRIES - 2);
  });

  it("in a block does not hide its neighbours from the figures and from eviction when the block is written again", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await damage(database, (record) => ({ ...record, rows: (record["rows"] as unknown[]).map((row, n) => (n === 2 ? null : row)) }));
    const damaged = [...(await readRows(database, names(64)))].find(([, row]) => isDamagedRow(row))?.[0] ?? "";
    const neighbour = `k${Number(damaged.slice(1)) - 1}`;
    await change(database, new Map([[neighbour, undefined]]));
    expect((await measureLiving(database, NOW)).entries).toBe(63);
    expect(await leastUsed(database)).toEqual(names(64).filter((key) => key !== neighbour));
  });

  it("under one key that claims another key is an entry of the first, and damaged", async () => {
    const database = openDatabase();
    await putRecords(database, { a: { ...rowOf("a"), keys: "b" } });
    expect([...(await readRows(database, ["a", "b"])).keys()]).toEqual(["a"]);
    await putRecords(database, { a: { ...rowOf("c"), keys: "b" } });
    const rows = await readRows(database, ["a", "b", "c"]);
    expect([...rows.keys()]).toEqual(["a"]);
    expect(isDamagedRow(rows.get("a") as Row)).toBe(true);
  });

  it("that claims a key under which it is not stored is removed by that key", async () => {
    const database = openDatabase();
    await putRecords(database, { a: { ...rowOf("a"), keys: "b" } });
    await expect(add(database, rowsOf(["b"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    await database.run([ENTRIES], "readwrite", (transaction) => removeStrays(transaction, ["b", "c"]));
    await add(database, rowsOf(["b"]));
    expect(Object.keys(await allRows(database))).toEqual(["b"]);
  });

  it("is removed, while blocks that have other keys of the same call stay", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await putRecords(database, { a: { ...rowOf("a"), keys: "b" } });
    await database.run([ENTRIES], "readwrite", (transaction) => removeStrays(transaction, ["k3", "b", "k20"]));
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(names(64).toSorted());
  });

  it.each<[what: string, place: IDBValidKey, record: object]>([
    ["a block under an empty list", [], { keys: ["k3", "b"], rows: [], lastUsed: NOW, size: 1 }],
    ["a block under a name", ["c", 3], { keys: ["k3", "b"], rows: [], lastUsed: NOW, size: 1 }],
    ["an entry under the number of a block", [5, 5], { ...rowOf("k3"), keys: "k3" }],
    ["an entry under a number", 5, { ...rowOf("k3"), keys: "k3" }],
    ["a list of no block", 5, ["k3", 7]],
    ["a block that says it is endless", [5, 2 ** 50], { keys: ["k3"], rows: [], lastUsed: NOW, size: 1 }],
    [
      "a row whose figures are none",
      [5, 2],
      { keys: ["k3", "b"], rows: [1, { lastUsed: { valueOf: 1, toString: 1 }, size: -5 }], lastUsed: NOW, size: 1 },
    ],
    ["something under bytes", new Uint8Array([1]), { keys: "k3" }],
  ])("that is %s does not stop the reads and writes of other entries", async (_, place, record) => {
    const database = openDatabase();
    await database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(record, place));
    const c = rowOf("c");
    await add(database, new Map([["c", c]]));
    await newCommitter(database).commit([storeDraft("k3")]);
    expect((await readRows(database, ["k3"])).get("k3")).toMatchObject({ writeId: ["me", expect.any(Number)] });
    for (const prefix of ["", "k"]) expect((await listKeys(database, NOW, prefix)).living).toContain("k3");
    expect((await measureLiving(database, NOW)).entries).toBeLessThan(5);
    expect(await leastUsed(database)).toContain("k3");
    await keepOnly(database, ["c", "b"]);
    expect((await readRows(database, ["c"])).get("c")).toMatchObject(c);
    await keepOnly(database, ["c"]);
    expect(await countRecords(database)).toBe(1);
  });

  it("under something that is not a string is not listed", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a"]));
    await database.run([ENTRIES], "readwrite", (transaction) => {
      for (const place of [new Uint8Array([1]), new Date(NOW), 5, [5, 5]]) transaction.objectStore(ENTRIES).put({ tags: ["t"] }, place);
    });
    expect((await listKeys(database, NOW, "")).living).toEqual(["a"]);
    expect((await listKeys(database, NOW, "", "t")).living).toEqual([]);
  });
});
