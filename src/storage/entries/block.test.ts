import { IDBIndex, IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { type Row } from "../../model/row.ts";
import { add, change, countRecords, keepOnly, leastUsed, names, readRows, rowOf, rowsOf } from "../../testing/entries.ts";
import { allRows, openDatabase, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { NOW, tombstone } from "../../testing/rows.ts";
import { ENTRIES } from "../idb/schema.ts";
import { BLOCK_ENTRIES } from "./block-record.ts";
import { find } from "./find.ts";
import { listKeys } from "./listing.ts";

useFreshIndexedDB();

describe("A block", () => {
  it("holds entries of a large write, but not of a small one, and no entry that is large, tagged or expires", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(63, "few")));
    expect(await countRecords(database)).toBe(63);
    const special = new Map<string, Row>([
      ["large", rowOf("large", { payload: "x".repeat(3_000) })],
      ["tagged", rowOf("tagged", { tags: ["t"] })],
      ["expires", rowOf("expires", { expiresAt: NOW })],
      ["deleted", { ...tombstone(1), key: "deleted" }],
    ]);
    await add(database, new Map([...rowsOf(names(64, "many")), ...special]));
    expect(await countRecords(database)).toBe(63 + 4 + 2 * (64 / BLOCK_ENTRIES));
  });

  it("has a bounded length", async () => {
    const database = openDatabase();
    await add(database, new Map(names(64).map((key) => [key, rowOf(key, { payload: "x".repeat(2_000) })])));
    expect(await countRecords(database)).toBe(2 * (64 / 4));
  });

  it("holds entries in the order of use, in whatever order they were written", async () => {
    const database = openDatabase();
    const rows = rowsOf(names(64));
    rows.set("k0", rowOf("k0", { lastUsed: NOW + 64 }));
    await add(database, rows);
    expect(await leastUsed(database)).toEqual([...names(64).slice(1), "k0"]);
  });

  it("loses the entries that are written again, and no other", async () => {
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
    expect(Object.keys(rows)).toHaveLength(63);
    expect({ k0: rows["k0"]?.version, k2: rows["k2"]?.version }).toEqual({ k0: 2, k2: 1 });
    const { blocks } = await database.run([ENTRIES], "readonly", (transaction) => find(transaction, ["k0", "k2"]));
    expect({ k0: blocks.has("k0"), k2: blocks.has("k2") }).toEqual({ k0: false, k2: true });
  });

  it("has its ciphertexts in one buffer, which an entry that leaves it does not take along", async () => {
    const database = openDatabase();
    const ciphertext = (n: number) => new Uint8Array([n, n, n]);
    const row = (key: string, n: number): Row =>
      rowOf(key, { payload: ciphertext(n), encryption: { keyId: "", nonce: "", messages: false } });
    await add(database, new Map(names(64).map((key, n) => [key, row(key, n)])));
    const payloadOf = async (key: string) => (await readRows(database, [key])).get(key) as { payload: Uint8Array };
    const before = (await payloadOf("k1")).payload;
    expect([[...before], before.buffer.byteLength]).toEqual([[1, 1, 1], 3 * BLOCK_ENTRIES]);
    await change(database, new Map([["k1", { ...(await readRows(database, ["k1"])).get("k1")!, version: 2 }]]));
    const after = (await payloadOf("k1")).payload;
    expect([[...after], after.buffer.byteLength]).toEqual([[1, 1, 1], 3]);
    expect((await payloadOf("k2")).payload).toEqual(ciphertext(2));
  });

  it("takes entries that had records of their own when they are written with many others", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(10)));
    await change(database, rowsOf(names(64)));
    expect(await countRecords(database)).toBe(2 * (64 / BLOCK_ENTRIES));
    expect(Object.keys(await allRows(database))).toHaveLength(64);
  });

  it("is removed with its entries, except those that are kept", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await keepOnly(database, ["k3", "k40"]);
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(["k3", "k40"]);
  });

  it("is not loaded when all of its entries are kept", async () => {
    const database = openDatabase();
    await add(database, rowsOf(names(64)));
    await add(database, rowsOf(names(20, "loose")));
    const { get } = IDBObjectStore.prototype;
    const loaded: unknown[] = [];
    vi.spyOn(IDBObjectStore.prototype, "get").mockImplementation(function (this: globalThis.IDBObjectStore, key) {
      if (Array.isArray(key)) loaded.push(key);
      return get.call(this, key);
    });
    const byIndex = vi.spyOn(IDBIndex.prototype, "get");
    const kept = [...names(33), ...names(10, "loose")];
    await keepOnly(database, kept);
    expect(loaded).toHaveLength(1);
    expect(byIndex).not.toHaveBeenCalled();
    expect(Object.keys(await allRows(database)).toSorted()).toEqual(kept.toSorted());
  });

  it("is listed by prefix, whether few keys or very many have the prefix", async () => {
    const database = openDatabase();
    await add(database, rowsOf([...names(1_200, "many:"), ...names(70, "few:")]));
    await add(database, rowsOf(["many:loose", "few:loose", "gone"]));
    expect((await listKeys(database, NOW, "few:")).living).toEqual([...names(70, "few:"), "few:loose"].toSorted());
    expect((await listKeys(database, NOW, "many:")).living).toEqual([...names(1_200, "many:"), "many:loose"].toSorted());
    expect((await listKeys(database, NOW, "")).living).toHaveLength(1_273);
  });
});
