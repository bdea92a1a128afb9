import { describe, expect, it } from "vitest";
import type { Row } from "../../model/row.ts";
import { add, change, names, rowOf } from "../../testing/entries.ts";
import { openDatabase, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, STALE } from "../idb/schema.ts";
import { isMarked, markStale, nextMarks, pruneMarks } from "./stale-marks.ts";

useFreshIndexedDB();

const mark = (database: Database, rows: ReadonlyMap<string, Row>): Promise<string[]> =>
  database.run([STALE], "readwrite", (transaction) => markStale(transaction, rows));
const marks = (database: Database, after?: IDBValidKey, limit = 100): Promise<IDBValidKey[]> =>
  database.run([STALE], "readonly", (transaction) => nextMarks(transaction, after, limit));
const hasMark = (database: Database, key: string, row: Row): Promise<boolean> =>
  database.run([STALE], "readonly", (transaction) => isMarked(transaction, key, row));

describe("A stale mark", () => {
  it("is for the row of one write: another write of the key, of whatever version, has none", async () => {
    const database = openDatabase();
    const row = rowOf("k", { version: 3, writeId: ["me", 1] });
    expect(await hasMark(database, "k", row)).toBe(false);
    expect(await mark(database, new Map([["k", row]]))).toEqual(["k"]);
    expect(await hasMark(database, "k", { ...row, lastUsed: 9 })).toBe(true);
    for (const writeId of [
      ["me", 2],
      ["another", 1],
    ] as const) {
      expect(await hasMark(database, "k", { ...row, writeId })).toBe(false);
    }
    expect(await mark(database, new Map([["k", row]]))).toEqual([]);
    expect(await mark(database, new Map([["k", { ...row, writeId: ["me", 2] }]]))).toEqual(["k"]);
  });

  it("that is damaged marks nothing", async () => {
    const database = openDatabase();
    for (const damage of [null, "me", ["me"], { 0: "me", 1: 1 }]) {
      await database.run([STALE], "readwrite", (transaction) => void transaction.objectStore(STALE).put(damage, "k"));
      expect(await hasMark(database, "k", rowOf("k", { writeId: ["me", 1] }))).toBe(false);
    }
  });

  it("is pruned once its key has no row, alone or in a block, a page of marks at a time", async () => {
    const database = openDatabase();
    const rows = new Map([...names(70).map((key) => [key, rowOf(key)] as const), ["alone", rowOf("alone", { tags: ["t"] })] as const]);
    await add(database, rows);
    await mark(database, new Map([...rows, ["gone", rowOf("gone")], ["zzz", rowOf("zzz")]]));
    const prune = (keys: readonly IDBValidKey[]): Promise<void> =>
      database.run([ENTRIES, STALE], "readwrite", (transaction) => pruneMarks(transaction, keys));
    await prune(await marks(database, undefined, 10));
    expect(await marks(database)).toHaveLength(72);
    await prune(await marks(database, "k", 100));
    expect(await marks(database)).toEqual([...rows.keys()].toSorted());
    await change(database, new Map([["k1", undefined]]));
    await prune(await marks(database));
    expect(await marks(database)).not.toContain("k1");
  });
});
