import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type EntryRow, type Row } from "../../model/row.ts";
import { add, change, keepOnly, names, readRows, rowOf, rowsOf } from "../../testing/entries.ts";
import { allRows, LAYOUTS, openDatabase, useBlocks, writeBlocksFrom, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { NOW, tombstone } from "../../testing/rows.ts";
import { ENTRIES } from "../idb/schema.ts";
import { BLOCK_ENTRIES } from "./block-record.ts";
import { listKeys } from "./listing.ts";
import { leastRecentlyUsed, measureLiving } from "./usage.ts";

useFreshIndexedDB();

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "\uFFFF", "\uFFFE", "\0", "😀", "\uE000"), minLength: 1, maxLength: 4 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
);

describe.each(LAYOUTS)("A table of $layout", ({ minRowsForBlocks }) => {
  useBlocks(minRowsForBlocks);

  it("behaves like a Map of rows, whatever is put, replaced and removed together", async () => {
    const key = fc.constantFrom(...names(40));
    const some = fc.uniqueArray(key, { minLength: 1, maxLength: 40 });
    // Only some of these rows fit a block.
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
        for (const { do: action, keys, kinds: kind } of steps) {
          if (action === "keep") {
            await keepOnly(database, keys);
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

  it("keeps exactly the entries that are to be kept, of any keys", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyKey, { maxLength: 12 }),
        fc.array(anyKey, { maxLength: 4 }),
        fc.infiniteStream(fc.boolean()),
        async (keys, strangers, picks) => {
          const database = openDatabase(`all-but/${Math.random()}`);
          await add(database, rowsOf(keys));
          const kept = new Set([...keys.filter(() => picks.next().value as boolean), ...strangers]);
          await keepOnly(database, kept);
          expect(Object.keys(await allRows(database)).toSorted()).toEqual(keys.filter((key) => kept.has(key)).toSorted());
          database.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("finds the keys of every prefix as startsWith does, also when the prefix ends in U+FFFF", async () => {
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

  it("reads many rows, each of them once", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(100)));
    const found = await readRows(database, ["x", "k7", "k7", ...names(60)]);
    expect([...found.keys()].toSorted()).toEqual(names(60).toSorted());
  });

  it("does not change when a row is removed that is not there", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a"]));
    await change(database, new Map([["b", undefined]]));
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });

  it("rejects an added key that exists, whether it lies in a block or not", async () => {
    const database = openDatabase();
    await add(database, rowsOf(["a", "b"]));
    await expect(add(database, rowsOf(["b", "c"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    writeBlocksFrom(minRowsForBlocks === 1 ? Infinity : 1);
    await expect(add(database, rowsOf(["c", "b"]))).rejects.toMatchObject({ cause: { name: "ConstraintError" } });
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(["a", "b"]);
  });

  it("lists the least recently used entries in order, a bounded number at a time", async () => {
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
