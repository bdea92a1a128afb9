import fc from "fast-check";
import { IDBIndex, IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { isDamagedRow, type EntryRow, type Row } from "../../model/row.ts";
import { allRows, LAYOUTS, openDatabase, putRows as putRecords, resultOf, useFreshIndexedDB, useBlocks } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { newCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import type { Database } from "../idb/database.ts";
import { leastRecentlyUsed, listKeys, measureLiving } from "./entry-index.ts";
import { find, BLOCK_ENTRIES } from "./entry-table.ts";
import { addRows, removeAllBut, removeStrays, replaceRows } from "./entry-writes.ts";
import { packing } from "./block.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

const names = (count: number, prefix = "k"): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

const rowOf = (key: string, fields: Partial<EntryRow> = {}): EntryRow => ({ ...entryRow(fields), key });

function rowsOf(keys: readonly string[]): Map<string, Row> {
  return new Map(keys.map((key, n) => [key, rowOf(key, { size: 1, lastUsed: NOW + n })]));
}

function add(database: Database, rows: ReadonlyMap<string, Row>): Promise<void> {
  return database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
}

function change(database: Database, changes: ReadonlyMap<string, Row | undefined>): Promise<void> {
  return database.run([ENTRIES], "readwrite", async (transaction) =>
    replaceRows(transaction, await find(transaction, changes.keys()), changes),
  );
}

async function readRows(database: Database, keys: readonly string[]): Promise<ReadonlyMap<string, Row>> {
  return (await database.run([ENTRIES], "readonly", (transaction) => find(transaction, keys))).rows;
}

async function records(database: Database): Promise<number> {
  return database.run([ENTRIES], "readonly", (transaction) => resultOf(transaction.objectStore(ENTRIES).count()));
}

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "\uFFFF", "\uFFFE", "\0", "😀", "\uE000"), minLength: 1, maxLength: 4 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
);

describe.each(LAYOUTS)("the table of $layout", ({ fewest }) => {
  useBlocks(fewest);

  it("is a Map of rows, whatever is put, replaced and removed together", async () => {
    const key = fc.constantFrom(...names(40));
    const some = fc.uniqueArray(key, { minLength: 1, maxLength: 40 });
    // Only a part of them can be packed.
    const kinds = fc.infiniteStream(
      fc.constantFrom<"plain" | "tagged" | "expiring" | "deleted" | "none">(
        "plain",
        "plain",
        "plain",
        "tagged",
        "expiring",
        "deleted",
        "none",
      ),
    );
    const step = fc.record({ do: fc.constantFrom("put", "keep"), keys: some, kinds });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const database = openDatabase(`map/${Math.random()}`);
        const model = new Map<string, Row>();
        let n = 0;
        for (const { do: what, keys, kinds: kind } of steps) {
          if (what === "keep") {
            await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, new Set(keys)));
            for (const name of model.keys()) if (!keys.includes(name)) model.delete(name);
            continue;
          }
          const changes = new Map<string, Row | undefined>();
          for (const name of keys) {
            const fields = { version: ++n, size: n, lastUsed: NOW + n };
            const made: Record<string, Row | undefined> = {
              plain: rowOf(name, fields),
              tagged: rowOf(name, { ...fields, tags: ["t"] }),
              expiring: rowOf(name, { ...fields, expiresAt: NOW + 1 }),
              deleted: { ...tombstone(n), key: name },
            };
            changes.set(name, made[kind.next().value as string]);
          }
          await change(database, changes);
          for (const [name, row] of changes) {
            if (row === undefined) model.delete(name);
            else model.set(name, row);
          }
        }
        expect(await allRows(database)).toMatchObject(Object.fromEntries(model));
        expect(Object.keys(await allRows(database)).toSorted()).toEqual([...model.keys()].toSorted());

        const living = [...model].filter(([, row]) => "payload" in row);
        for (const prefix of ["", "k", "k1", "k39", "x"]) {
          expect((await listKeys(database, NOW, prefix)).living).toEqual(
            living
              .map(([name]) => name)
              .filter((name) => name.startsWith(prefix))
              .toSorted(),
          );
        }
        const sizes = living.map(([, row]) => (row as EntryRow).size);
        expect(await measureLiving(database, NOW)).toEqual({ entries: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) });
        const found = await readRows(database, names(45));
        expect([...found.keys()].toSorted()).toEqual([...model.keys()].toSorted());
        for (const [name, row] of found) expect(row).toMatchObject(model.get(name) as Row);
        database.release();
      }),
      { numRuns: 60 },
    );
  });

  it("keeps of any keys what is to be kept", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyKey, { maxLength: 12 }),
        fc.array(anyKey, { maxLength: 4 }),
        fc.infiniteStream(fc.boolean()),
        async (keys, strangers, picks) => {
          const database = openDatabase(`all-but/${Math.random()}`);
          await add(database, rowsOf(keys));
          const kept = new Set([...keys.filter(() => picks.next().value as boolean), ...strangers]);
          await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, kept));
          expect(Object.keys(await allRows(database)).toSorted()).toEqual(keys.filter((key) => kept.has(key)).toSorted());
          database.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("finds keys by every prefix, U+FFFF at its end or not, as startsWith does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyKey, { maxLength: 12 }),
        fc.string({ unit: fc.constantFrom("a", "\uFFFF", "\uFFFE", "😀", "\uD83D"), maxLength: 3 }),
        async (keys, prefix) => {
          const database = openDatabase(`prefix/${Math.random()}`);
          await add(database, rowsOf(keys));
          expect((await listKeys(database, NOW, prefix)).living).toEqual(keys.filter((key) => key.startsWith(prefix)).toSorted());
          database.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("reads many rows, each once", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(100)));
    const found = await readRows(database, ["x", "k7", "k7", ...names(60)]);
    expect([...found.keys()].toSorted()).toEqual(names(60).toSorted());
  });

  it("removing a row that is not there changes nothing", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a"]));
    await change(database, new Map([["b", undefined]]));
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });

  it("refuses to add a key that is there, however it lies", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a", "b"]));
    await expect(add(database, rowsOf(["b", "c"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    packing.fewest = fewest === 1 ? Infinity : 1;
    await expect(add(database, rowsOf(["c", "b"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(["a", "b"]);
  });

  it("names the entries used longest ago, in their order, some at a time", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(40)));
    const named: string[] = [];
    for (let after: IDBValidKey | undefined, more = true; more; more = after !== undefined) {
      const { groups, next } = await database.run([ENTRIES], "readonly", (transaction) => leastRecentlyUsed(transaction, after, 10));
      expect(groups.flat().length).toBeLessThan(10 + BLOCK_ENTRIES);
      named.push(...groups.flat());
      after = next;
    }
    expect(named).toEqual(names(40));
  });
});

describe("blocks", () => {
  it("hold many entries that are written together, but none that is large, tagged or expires, nor few", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(63, "few")));
    expect(await records(database)).toBe(63);
    const special = new Map<string, Row>([
      ["large", rowOf("large", { payload: "x".repeat(3_000) })],
      ["tagged", rowOf("tagged", { tags: ["t"] })],
      ["expires", rowOf("expires", { expiresAt: NOW })],
      ["deleted", { ...tombstone(1), key: "deleted" }],
    ]);
    await add(database, new Map([...rowsOf(names(64, "many")), ...special]));
    expect(await records(database)).toBe(63 + 4 + 2 * (64 / BLOCK_ENTRIES));
  });

  it("are no longer than a read of one entry is worth", async () => {
    const database = openDatabase();
    await add(database, new Map(names(64).map((key) => [key, rowOf(key, { payload: "x".repeat(2_000) })])));
    expect(await records(database)).toBe(2 * (64 / 4));
  });

  it("are evicted in the order of use, in whatever order their entries were given", async () => {
    const database = openDatabase();
    const rows = rowsOf(names(64));
    rows.set("k0", rowOf("k0", { lastUsed: NOW + 64 }));
    await add(database, rows);
    const { groups } = await database.run([ENTRIES], "readonly", (transaction) => leastRecentlyUsed(transaction, undefined, 100));
    expect(groups.flat()).toEqual([...names(64).slice(1), "k0"]);
  });

  it("lose what is written anew, and nothing else", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await change(
      database,
      new Map([
        ["k0", rowOf("k0", { version: 2 })],
        ["k1", undefined],
      ]),
    );
    const rows = await allRows(database);
    expect([Object.keys(rows).length, rows["k0"]?.version, rows["k2"]?.version]).toEqual([63, 2, 1]);
    const { blocks } = await database.run([ENTRIES], "readonly", (transaction) => find(transaction, ["k0", "k2"]));
    expect([blocks.has("k0"), blocks.has("k2")]).toEqual([false, true]);
  });

  it("take in what lay by itself, when it is written with many", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(10)));
    await change(database, rowsOf(names(64)));
    expect(await records(database)).toBe(2 * (64 / BLOCK_ENTRIES));
    expect(Object.keys(await allRows(database))).toHaveLength(64);
  });

  it("are removed with all they hold, but for what is kept", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, new Set(["k3", "k40"])));
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(["k3", "k40"]);
  });

  it("are not loaded to be kept as a whole, nor is what lies by itself", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await add(database, rowsOf(names(20, "loose")));
    const { get } = IDBObjectStore.prototype;
    const loaded: unknown[] = [];
    vi.spyOn(IDBObjectStore.prototype, "get").mockImplementation(function (this: globalThis.IDBObjectStore, key) {
      if (typeof key !== "number") loaded.push(key);
      return get.call(this, key);
    });
    const byIndex = vi.spyOn(IDBIndex.prototype, "get");
    const kept = [...names(33), ...names(10, "loose")];
    await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, new Set(kept)));
    expect([loaded.length, byIndex.mock.calls.length]).toEqual([1, 0]);
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(kept.toSorted());
  });

  it("are listed by prefix, whether few keys begin with it or very many", async () => {
    const database = openDatabase();
    await add(database, rowsOf([...names(1_200, "many:"), ...names(70, "few:")]));
    await add(database, rowsOf(["many:loose", "few:loose", "gone"]));
    expect((await listKeys(database, NOW, "few:")).living).toEqual([...names(70, "few:"), "few:loose"].toSorted());
    expect((await listKeys(database, NOW, "many:")).living).toEqual([...names(1_200, "many:"), "many:loose"].toSorted());
    expect((await listKeys(database, NOW, "")).living).toHaveLength(1_273);
  });
});

describe("what is damaged", () => {
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
  ])("as a block %s is so for each of its keys, until that is written anew", async (_, alter) => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await damage(database, alter);
    const rows = await readRows(database, names(64));
    const damaged = [...rows].flatMap(([key, row]) => (isDamagedRow(row) ? [key] : []));
    expect([rows.size, damaged.length]).toEqual([64, BLOCK_ENTRIES]);

    const [first, second] = damaged as [string, string];
    await change(
      database,
      new Map([
        [first, rowOf(first)],
        [second, undefined],
      ]),
    );
    const after = await readRows(database, names(64));
    expect([isDamagedRow(after.get(first) as Row), after.has(second), after.size]).toEqual([false, false, 63]);
    expect([...after.values()].filter(isDamagedRow)).toHaveLength(BLOCK_ENTRIES - 2);
  });

  it("in a block does not take the others out of the figures and out of eviction when they are put again", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await damage(database, (record) => ({ ...record, rows: (record["rows"] as unknown[]).map((row, n) => (n === 2 ? null : row)) }));
    const damaged = [...(await readRows(database, names(64)))].find(([, row]) => isDamagedRow(row))?.[0] ?? "";
    const neighbour = `k${Number(damaged.slice(1)) - 1}`;
    await change(database, new Map([[neighbour, undefined]]));
    expect((await measureLiving(database, NOW)).entries).toBe(63);
    const { groups } = await database.run([ENTRIES], "readonly", (transaction) => leastRecentlyUsed(transaction, undefined, 100));
    expect(groups.flat()).toEqual(names(64).filter((key) => key !== neighbour));
  });

  it("as a record of one key that says another's name stands for neither", async () => {
    const database = openDatabase();
    await putRecords(database, { a: { ...rowOf("a"), under: "b" } });
    expect([...(await readRows(database, ["a", "b"])).keys()]).toEqual(["a"]);
    await putRecords(database, { a: { ...rowOf("c"), under: "b" } });
    const rows = await readRows(database, ["a", "b", "c"]);
    expect([...rows.keys()]).toEqual(["a"]);
    expect(isDamagedRow(rows.get("a") as Row)).toBe(true);
  });

  it("as a record that claims a key which lies elsewhere can be removed by that key", async () => {
    const database = openDatabase();
    await putRecords(database, { a: { ...rowOf("a"), under: "b" } });
    await expect(add(database, rowsOf(["b"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    await database.run([ENTRIES], "readwrite", (transaction) => removeStrays(transaction, ["b", "c"]));
    await add(database, rowsOf(["b"]));
    expect(Object.keys(await allRows(database))).toEqual(["b"]);
  });

  it("as a record that is removed takes no block along, where others of the keys lie", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await putRecords(database, { a: { ...rowOf("a"), under: "b" } });
    await database.run([ENTRIES], "readwrite", (transaction) => removeStrays(transaction, ["k3", "b", "k20"]));
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(names(64).toSorted());
  });

  it.each<[what: string, place: IDBValidKey, record: object]>([
    ["a block under an empty list", [], { under: ["k3", "b"], rows: [], lastUsed: NOW, size: 1 }],
    ["a block under a name", ["c", 3], { under: ["k3", "b"], rows: [], lastUsed: NOW, size: 1 }],
    ["an entry under the number of a block", [5, 5], { ...rowOf("k3"), under: "k3" }],
    ["an entry under a number", 5, { ...rowOf("k3"), under: "k3" }],
    ["a list of no block", 5, ["k3", 7]],
    ["a block that says it is endless", [5, 2 ** 50], { under: ["k3"], rows: [], lastUsed: NOW, size: 1 }],
    [
      "a row whose figures are none",
      [5, 2],
      { under: ["k3", "b"], rows: [1, { lastUsed: { valueOf: 1, toString: 1 }, size: -5 }], lastUsed: NOW, size: 1 },
    ],
    ["something under bytes", new Uint8Array([1]), { under: "k3" }],
  ])("as %s is in nobody's way", async (_, place, record) => {
    const database = openDatabase();
    await database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).put(record, place));
    const c = rowOf("c");
    await add(database, new Map([["c", c]]));
    await newCommitter(database).commit([storeDraft("k3")]);
    expect((await readRows(database, ["k3"])).get("k3")).toMatchObject({ writeId: ["me", expect.any(Number)] });
    for (const prefix of ["", "k"]) expect((await listKeys(database, NOW, prefix)).living).toContain("k3");
    expect((await measureLiving(database, NOW)).entries).toBeLessThan(5);
    const { groups } = await database.run([ENTRIES], "readonly", (transaction) => leastRecentlyUsed(transaction, undefined, 100));
    expect(groups.flat()).toContain("k3");
    await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, new Set(["c", "b"])));
    expect((await readRows(database, ["c"])).get("c")).toMatchObject(c);
    await database.run([ENTRIES], "readwrite", (transaction) => removeAllBut(transaction, new Set(["c"])));
    expect(await records(database)).toBe(1);
  });

  it("as a record under what is no key is not listed", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a"]));
    await database.run([ENTRIES], "readwrite", (transaction) => {
      for (const place of [new Uint8Array([1]), new Date(NOW), 5, [5, 5]]) transaction.objectStore(ENTRIES).put({ tags: ["t"] }, place);
    });
    expect((await listKeys(database, NOW, "")).living).toEqual(["a"]);
    expect((await listKeys(database, NOW, "", "t")).living).toEqual([]);
  });
});
