import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LONG_AGO, type Row } from "../../model/row.ts";
import { add, names, rowOf } from "../../testing/entries.ts";
import { LAYOUTS, openDatabase, putRows, useFreshIndexedDB, writeBlocksFrom } from "../../testing/indexeddb.ts";
import { NOW, tombstone } from "../../testing/rows.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES } from "../idb/schema.ts";
import { listKeys } from "./listing.ts";
import { listPage, scanKeys, scanRows, type Scan } from "./scan.ts";

useFreshIndexedDB();

const ALL: Scan = { prefix: "", tag: undefined, after: undefined };
const anyKey = fc.string({ unit: fc.constantFrom("a", "b", "\uFFFF", "\uFFFE", "😀", "\uE000"), minLength: 1, maxLength: 4 });

function keysOf(database: Database, scan: Scan, limit: number): ReturnType<typeof scanKeys> {
  return database.run([ENTRIES], "readonly", (transaction) => scanKeys(transaction, scan, limit));
}

function rowsIn(database: Database, scan: Scan, accepts = (_key: string): boolean => true): ReturnType<typeof scanRows> {
  return database.run([ENTRIES], "readonly", (transaction) => scanRows(transaction, scan, accepts));
}

/** All pages of a scan, one after another. */
async function pages<T>(page: (after: string | undefined) => Promise<{ found: T[]; next: string | undefined }>): Promise<T[][]> {
  const all: T[][] = [];
  let after: string | undefined;
  do {
    const { found, next } = await page(after);
    all.push(found);
    after = next;
  } while (after !== undefined);
  return all;
}

describe.each(LAYOUTS)("A scan of $layout", ({ minRowsForBlocks }) => {
  it("finds the keys of listKeys in pages of any size, for any prefix, and from any key", async () => {
    writeBlocksFrom(minRowsForBlocks);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyKey, { maxLength: 40 }),
        fc.string({ unit: fc.constantFrom("a", "\uFFFF", "😀", "\uD83D"), maxLength: 2 }),
        fc.option(anyKey),
        fc.integer({ min: 1, max: 9 }),
        async (keys, prefix, from, limit) => {
          const database = openDatabase(`scan/${Math.random()}`);
          // Several blocks whose keys alternate.
          for (const part of [0, 1]) await add(database, new Map(keys.filter((_, n) => n % 2 === part).map((key) => [key, rowOf(key)])));
          const found = await pages((after) => keysOf(database, { ...ALL, prefix, after: after ?? from ?? undefined }, limit));
          const expected = (await listKeys(database, NOW, prefix)).living.filter((key) => from === null || key > from);
          expect(found.flat()).toEqual(expected);
          database.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("finds the rows in pages of 256 keys", async () => {
    writeBlocksFrom(minRowsForBlocks);
    const database = openDatabase();
    const keys = names(600).toSorted();
    await add(database, new Map(keys.map((key) => [key, rowOf(key)])));
    const found = await pages((after) => rowsIn(database, { ...ALL, after }));
    expect(found.map((page) => page.length)).toEqual([256, 256, 88]);
    expect(found.flat().map(([key]) => key)).toEqual(keys);
  });

  it("reads only the rows of keys that are accepted", async () => {
    writeBlocksFrom(minRowsForBlocks);
    const database = openDatabase();
    await add(database, new Map(names(600).map((key) => [key, rowOf(key)])));
    const found = await pages((after) => rowsIn(database, { ...ALL, after }, (key) => key.endsWith("7")));
    expect(found.flat().map(([key]) => key)).toEqual(
      names(600)
        .filter((key) => key.endsWith("7"))
        .toSorted(),
    );
  });
});

describe("A scan", () => {
  it("of large rows has pages of about 1 MB", async () => {
    const database = openDatabase();
    const keys = names(100).toSorted();
    await add(database, new Map(keys.map((key) => [key, rowOf(key, { payload: "x".repeat(100_000) })])));
    const found = await pages((after) => rowsIn(database, { ...ALL, after }));
    expect(Math.max(...found.map((page) => page.length))).toBe(16);
    expect(found.flat().map(([key]) => key)).toEqual(keys);
  });

  it("of a tag goes on in the middle of it, in any order of the tags", async () => {
    const database = openDatabase();
    const tagged = names(30, "t").toSorted();
    await add(
      database,
      new Map([...names(30), ...tagged].map((key) => [key, rowOf(key, { tags: key.startsWith("t") ? ["b", "a"] : ["a"] })])),
    );
    const found = await pages((after) => keysOf(database, { prefix: "", tag: "b", after }, 7));
    expect(found.flat()).toEqual(tagged);
    expect(await pages((after) => keysOf(database, { prefix: "t1", tag: "a", after }, 4))).toEqual([
      ["t1", "t10", "t11", "t12"],
      ["t13", "t14", "t15", "t16"],
      ["t17", "t18", "t19"],
    ]);
    expect((await keysOf(database, { prefix: "", tag: "none", after: undefined }, 7)).found).toEqual([]);
  });

  it("finds records that are not in the index, and goes on behind places that are not keys", async () => {
    const database = openDatabase();
    await putRows(database, { a: 5, b: { keys: "elsewhere" }, c: null });
    expect((await pages((after) => keysOf(database, { ...ALL, after }, 1))).flat()).toEqual(["a", "b", "c"]);
  });
});

describe("listPage", () => {
  const list = (database: Database, scan: Partial<Scan>, limit: number) => listPage(database, NOW, { ...ALL, ...scan }, limit, () => true);

  it("skips expired and deleted keys until the page is full", async () => {
    const database = openDatabase();
    await add(
      database,
      new Map<string, Row>([
        ...names(20).map((key) => [key, rowOf(key, { expiresAt: NOW })] as const),
        ["marked", rowOf("marked", { expiresAt: LONG_AGO })],
        ["n", { ...tombstone(2), key: "n" }],
        ...names(3, "z").map((key) => [key, rowOf(key, { expiresAt: NOW + 1 })] as const),
      ]),
    );
    expect((await list(database, {}, 2)).living).toEqual(["z0", "z1"]);
    expect((await list(database, { after: "z1" }, 2)).living).toEqual(["z2"]);
    expect((await list(database, {}, 1)).expired.toSorted()).toEqual(names(20).toSorted());
  });

  it("lists keys of a pattern that accepts few of many", async () => {
    const database = openDatabase();
    const keys = Array.from({ length: 2_500 }, (_, n) => `k${String(n).padStart(4, "0")}`);
    await add(database, new Map(keys.map((key) => [key, rowOf(key)])));
    const { living } = await listPage(database, NOW, ALL, 2, (key) => key >= "k2400");
    expect(living).toEqual(["k2400", "k2401"]);
  });
});
