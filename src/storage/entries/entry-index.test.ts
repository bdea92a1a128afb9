import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { LONG_AGO } from "../../model/row.ts";
import { expiredKeys, listKeys, measureLiving } from "./entry-index.ts";
import { addRows } from "./entry-writes.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "\uFFFF", "\uFFFE", "\0", "😀", "\uE000"), minLength: 1, maxLength: 4 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
);

describe("the entries", () => {
  it("lists the keys that live, sorted by code unit", async () => {
    const database = openDatabase();
    await putRows(database, { b: entryRow(), "😀": entryRow(), "\uFFFF": entryRow(), a: entryRow(), B: entryRow(), "": entryRow() });
    expect((await listKeys(database, NOW, "")).living).toEqual(["", "B", "a", "b", "😀", "\uFFFF"]);
  });

  it("lists neither what has expired nor what is deleted", async () => {
    const database = openDatabase();
    await putRows(database, {
      lives: entryRow({ expiresAt: NOW + 1 }),
      expires: entryRow({ expiresAt: NOW }),
      deleted: tombstone(2),
      tagged: entryRow({ tags: ["t"], expiresAt: NOW }),
    });
    expect((await listKeys(database, NOW, "")).living).toEqual(["lives"]);
    expect((await listKeys(database, NOW, "", "t")).living).toEqual([]);
    expect((await listKeys(database, NOW - 1, "", "t")).living).toEqual(["tagged"]);
  });

  it("lists what has expired beside it, but for what is marked so already", async () => {
    const database = openDatabase();
    await putRows(database, {
      lives: entryRow({ expiresAt: NOW + 1 }),
      expires: entryRow({ expiresAt: NOW }),
      marked: entryRow({ expiresAt: LONG_AGO }),
      deleted: tombstone(2),
    });
    expect(await listKeys(database, NOW, "")).toEqual({ living: ["lives"], expired: ["expires"] });
    expect(await listKeys(database, NOW - 1, "")).toEqual({ living: ["expires", "lives"], expired: [] });
  });

  it("lists by tag and prefix", async () => {
    const database = openDatabase();
    await putRows(database, {
      "user:1": entryRow({ tags: ["x", "y"] }),
      "user:2": entryRow({ tags: ["y"] }),
      "cart:1": entryRow({ tags: ["x", "x"] }),
      other: entryRow(),
    });
    expect((await listKeys(database, NOW, "", "x")).living).toEqual(["cart:1", "user:1"]);
    expect((await listKeys(database, NOW, "user:", "x")).living).toEqual(["user:1"]);
    expect((await listKeys(database, NOW, "", "z")).living).toEqual([]);
  });

  it("finds the keys of every prefix, U+FFFF at its end or not, as startsWith does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyKey, { maxLength: 12 }),
        fc.string({ unit: fc.constantFrom("a", "\uFFFF", "\uFFFE", "😀", "\uD83D"), maxLength: 3 }),
        async (keys, prefix) => {
          const database = openDatabase(`prefix/${Math.random()}`);
          await putRows(database, Object.fromEntries(keys.map((key) => [key, entryRow()])));
          const expected = keys.filter((key) => key.startsWith(prefix)).toSorted();
          expect((await listKeys(database, NOW, prefix)).living).toEqual(expected);
          database.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([999, 1_000, 1_001, 1_100])("lists all %i keys of a prefix that lie in blocks, and no others", async (count) => {
    const database = openDatabase();
    const keys = Array.from({ length: count }, (_, n) => `user:${String(n).padStart(4, "0")}`);
    const rows = new Map([...keys, ...Array.from({ length: 40 }, (_, n) => `team:${n}`)].map((key) => [key, { ...entryRow(), key }]));
    await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
    expect((await listKeys(database, NOW, "user:")).living).toEqual(keys);
  });

  it("measures what lives, from the sizes before compression", async () => {
    const database = openDatabase();
    await putRows(database, {
      a: entryRow({ size: 10 }),
      b: entryRow({ size: 5, expiresAt: NOW + 1 }),
      expired: entryRow({ size: 100, expiresAt: NOW }),
      deleted: tombstone(2),
    });
    expect(await measureLiving(database, NOW)).toEqual({ entries: 2, bytes: 15 });
  });
});

it("expiredKeys are those of what is absent: expired entries and tombstones", async () => {
  const database = openDatabase();
  await putRows(database, { a: entryRow(), b: entryRow({ expiresAt: NOW }), c: tombstone(2), d: entryRow({ expiresAt: NOW + 1 }) });
  const keys = await database.run([ENTRIES], "readonly", (transaction) => expiredKeys(transaction, NOW));
  expect(keys.toSorted()).toEqual(["b", "c"]);
});
