import { IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { CONFIRMED, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { deleteDraft, storeDraft } from "../../testing/drafts.ts";
import { add, change, keepOnly, names, rowOf } from "../../testing/entries.ts";
import { openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { evict } from "../eviction/evict.ts";
import { makeRoom } from "../eviction/make-room.ts";
import { sweep } from "../eviction/sweeper.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import { settleRejected } from "../outbox/outbox-table.ts";
import { raiseFloor, readFloor } from "./version-floor.ts";

useFreshIndexedDB();

const floorOf = (database: Database): Promise<number> => database.run([OUTBOX], "readonly", readFloor);
const raise = (database: Database, version: number): Promise<void> =>
  database.run([OUTBOX], "readwrite", (transaction) => raiseFloor(transaction, version));

/** What sweeps and evictions need, on a database whose writes are all confirmed. */
const ports = (database: Database) => ({
  database,
  clock: { now: () => NOW },
  stateOf: async () => undefined,
  onExpired: () => undefined,
  onEvicted: () => undefined,
});

describe("The version floor", () => {
  it("is 0 in a new database, and never goes back", async () => {
    const database = openDatabase();
    expect(await floorOf(database)).toBe(0);
    await raise(database, 5);
    await raise(database, 3);
    expect(await floorOf(database)).toBe(5);
  });

  it.each([Number.MAX_SAFE_INTEGER, "7", -1, Number.NaN, null])(
    "leaves safe versions for all keys when it is damaged: %s",
    async (damage) => {
      const database = openDatabase();
      await raise(database, damage as number);
      await database.run([OUTBOX], "readwrite", (transaction) => void transaction.objectStore(OUTBOX).put(damage, "version floor"));
      expect(await floorOf(database)).toBe(damage === Number.MAX_SAFE_INTEGER ? 2 ** 52 : 0);
    },
  );

  it("does not rise when rows are replaced", async () => {
    const database = openDatabase();
    await add(database, new Map([["a", rowOf("a", { version: 4 })]]));
    await change(database, new Map([["a", rowOf("a", { version: 5 })]]));
    expect(await floorOf(database)).toBe(0);
  });

  it("rises to the greatest version of the rows that are removed, single or in a block", async () => {
    const database = openDatabase();
    await add(database, new Map(names(64).map((key, n) => [key, rowOf(key, { version: n + 1 })])));
    await add(database, new Map([["loose", rowOf("loose", { version: 7 })]]));
    await change(database, new Map(["loose", "k2"].map((key) => [key, undefined])));
    expect(await floorOf(database)).toBe(7);
    await change(database, new Map(["k40", "k20"].map((key) => [key, undefined])));
    expect(await floorOf(database)).toBe(41);
  });

  it("rises with a row that is removed and one that is replaced in the same transaction", async () => {
    const database = openDatabase();
    await putRows(database, { a: entryRow({ version: 3 }), b: entryRow({ version: 9 }) });
    await change(
      database,
      new Map([
        ["a", undefined],
        ["b", rowOf("b", { version: 10 })],
      ]),
    );
    expect(await floorOf(database)).toBe(3);
  });

  it.each([
    ["entries", (version: number) => putRowsOf({ k: entryRow({ version }) })],
    [
      "blocks",
      (version: number) => (database: Database) =>
        add(database, new Map(names(64).map((key, n) => [key, rowOf(key, { version: version - n })]))),
    ],
    ["tombstones", (version: number) => putRowsOf({ k: tombstone(version) })],
    ["expired entries", (version: number) => putRowsOf({ k: entryRow({ version, expiresAt: NOW }) })],
  ])("rises to the greatest version when all %s are removed, and no payload is loaded", async (_, fill) => {
    const database = openDatabase();
    await fill(123)(database);
    await putRows(database, { kept: entryRow({ version: 2 }) });
    const loaded = vi.spyOn(IDBObjectStore.prototype, "getAll");
    await keepOnly(database, ["kept"]);
    expect(await floorOf(database)).toBe(123);
    expect(loaded).not.toHaveBeenCalled();
  });

  it("rises with a sweep, an eviction and the tombstone of a confirmed delete", async () => {
    const { database, commit, settle } = setUpCommitter();
    await putRows(database, { a: entryRow({ version: 3, expiresAt: NOW }), b: entryRow({ version: 5, keys: "b" } as object) });
    await sweep(ports(database));
    expect(await floorOf(database)).toBe(3);
    await evict(ports(database), { entries: 1, bytes: 0 });
    expect(await floorOf(database)).toBe(5);
    await commit(storeDraft("c"));
    await settle(await commit(deleteDraft("c")), CONFIRMED);
    expect(await floorOf(database)).toBe(7);
  });

  it("rises when a rejected delete is discarded, and not when a rejected store is", async () => {
    const { database, commit, settle } = setUpCommitter();
    await settle(await commit(storeDraft("stored")), REJECTED);
    await settle(await commit(deleteDraft("deleted")), REJECTED);
    const discard = (key: string): Promise<number> =>
      database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleRejected(transaction, key, "discarded"));
    await discard("stored");
    expect(await floorOf(database)).toBe(0);
    await discard("deleted");
    expect(await floorOf(database)).toBe(1);
  });

  it("rises after the removals when room is made: they may need the last space of a full disk", async () => {
    const database = openDatabase();
    for (const [version, isFull] of [
      [4, false],
      [9, true],
    ] as const) {
      await add(database, new Map([["k", rowOf("k", { version })]]));
      const { put, delete: remove } = IDBObjectStore.prototype;
      const order: string[] = [];
      let isFree = !isFull;
      vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
        order.push("put");
        if (!isFree) throw new DOMException("full", "QuotaExceededError");
        return put.apply(this, given);
      });
      vi.spyOn(IDBObjectStore.prototype, "delete").mockImplementation(function (this: globalThis.IDBObjectStore, key) {
        order.push("delete");
        isFree = true;
        return remove.call(this, key);
      });
      expect(await makeRoom(ports(database), 1, [], [])).toBe(true);
      vi.restoreAllMocks();
      expect(order).toEqual(["delete", "put"]);
      expect(await floorOf(database)).toBe(version);
    }
  });
});

function putRowsOf(rows: Readonly<Record<string, unknown>>): (database: Database) => Promise<void> {
  return (database) => putRows(database, rows);
}
