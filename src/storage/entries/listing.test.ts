import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { LONG_AGO } from "../../model/row.ts";
import { expiredKeys, listKeys } from "./listing.ts";
import { addRows } from "./write.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

const anyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "\uFFFF", "\uFFFE", "\0", "😀", "\uE000"), minLength: 1, maxLength: 4 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
);

describe("listKeys", () => {
  it("lists the living keys, sorted by code unit", async () => {
    const database = openDatabase();
    await putRows(database, { b: entryRow(), "😀": entryRow(), "\uFFFF": entryRow(), a: entryRow(), B: entryRow(), "": entryRow() });
    expect((await listKeys(database, NOW, "")).living).toEqual(["", "B", "a", "b", "😀", "\uFFFF"]);
  });

  it("lists neither expired nor deleted keys", async () => {
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

  it("lists expired keys apart, without the keys that are marked as expired", async () => {
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

  it("lists the keys of a tag and a prefix", async () => {
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

  it("finds the keys of every prefix as startsWith does, also when the prefix ends in U+FFFF", async () => {
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

  it.each([999, 1_000, 1_001, 1_100])("lists all %i keys of a prefix, and no others, when they lie in blocks", async (count) => {
    const database = openDatabase();
    const keys = Array.from({ length: count }, (_, n) => `user:${String(n).padStart(4, "0")}`);
    const rows = new Map([...keys, ...Array.from({ length: 40 }, (_, n) => `team:${n}`)].map((key) => [key, { ...entryRow(), key }]));
    await database.run([ENTRIES], "readwrite", (transaction) => addRows(transaction, rows));
    expect((await listKeys(database, NOW, "user:")).living).toEqual(keys);
  });
});

it("expiredKeys lists the keys of expired entries and of tombstones", async () => {
  const database = openDatabase();
  await putRows(database, { a: entryRow(), b: entryRow({ expiresAt: NOW }), c: tombstone(2), d: entryRow({ expiresAt: NOW + 1 }) });
  const keys = await database.run([ENTRIES], "readonly", (transaction) => expiredKeys(transaction, NOW));
  expect(keys.toSorted()).toEqual(["b", "c"]);
});
