import { describe, expect, it, vi } from "vitest";
import { KeyQueue } from "../write/key-queue.ts";
import type { LocalChange } from "../model/change.ts";
import { isExpired, isTombstone, type EntryRow } from "../model/row.ts";
import { listKeys } from "../storage/entries/listing.ts";
import { ENTRIES, STALE } from "../storage/idb/schema.ts";
import { storeDraft } from "../testing/drafts.ts";
import { change, rowOf } from "../testing/entries.ts";
import { openDatabase, useFreshIndexedDB, watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { NOW } from "../testing/rows.ts";
import { CoherentCache } from "./coherent-cache.ts";
import { cachedEntry } from "./memory-cache.ts";
import { Staleness, type StalenessPorts } from "./staleness.ts";

useFreshIndexedDB();

function setUp(given: Partial<StalenessPorts> = {}) {
  const database = openDatabase();
  const cache = new CoherentCache(100);
  const queue = new KeyQueue();
  const changes: LocalChange[] = [];
  const staleness = new Staleness({
    database,
    cache,
    reader: { live: (_, row) => (row === undefined || isTombstone(row) || isExpired(row, NOW) ? undefined : row) },
    writesCommitted: queue.committed,
    livingKeys: async (_, tag) => (await listKeys(database, NOW, "", tag)).living,
    onInvalidate: () => undefined,
    emit: (emitted) => {
      changes.push(...emitted);
      cache.apply(emitted);
    },
    ...given,
  });
  /** Puts a row into the database and into memory. */
  const put = async (key: string, row: Partial<EntryRow> = {}): Promise<void> => {
    const whole = rowOf(key, { writeId: ["me", row.version ?? 1], ...row });
    await change(database, new Map([[key, whole]]));
    cache.set(key, cachedEntry(whole, whole.payload));
  };
  return { database, cache, queue, changes, staleness, put };
}

describe("An entry in memory", () => {
  it("is looked up once: after that, it is known at once not to be stale", async () => {
    const { put, staleness } = setUp();
    await put("k");
    expect(await staleness.isStale("k", 1)).toBe(false);
    const transactions = watchTransactions();
    expect(staleness.isStale("k", 1)).toBe(false);
    expect(transactions).not.toHaveBeenCalled();
  });

  it("is looked up again when it was invalidated here or in another tab, and for another version", async () => {
    const { cache, put, staleness } = setUp();
    await put("k");
    await put("other");
    await Promise.all([staleness.isStale("k", 1), staleness.isStale("other", 1)]);
    expect(await staleness.invalidate({ pattern: "k" }, {})).toBe(1);
    expect(cache.held("k")).toBeUndefined();
    expect(await staleness.isStale("k", 1)).toBe(true);
    expect(staleness.isStale("other", 1)).toBe(false);
    expect(staleness.isStale("other", 2)).toBeInstanceOf(Promise);
    cache.apply([{ source: "tab", type: "invalidate", key: "other", version: 1 }]);
    expect(staleness.isStale("other", 1)).toBeInstanceOf(Promise);
    expect(await staleness.isStale("k", 2)).toBe(false);
  });

  it("is not held to be fresh when it is invalidated while it is looked up", async () => {
    const { put, staleness } = setUp();
    await put("k");
    const looking = staleness.isStale("k", 1);
    await staleness.invalidate({ pattern: "k" }, {});
    await looking;
    expect(await staleness.isStale("k", 1)).toBe(true);
  });
});

describe("An invalidation", () => {
  it("marks only what has the tag and matches the pattern, emits its changes, and writes no row", async () => {
    const { changes, put, staleness } = setUp();
    await put("a:1", { tags: ["t"] });
    await put("a:2", { tags: ["u"] });
    await put("b:1", { tags: ["t"], version: 4 });
    await put("expired", { tags: ["t"], expiresAt: NOW - 1 });
    const transactions = watchTransactions();
    expect(await staleness.invalidate({ tag: "t", pattern: "a:*" }, {})).toBe(1);
    expect(transactions.mock.calls.filter(([tables, mode]) => mode === "readwrite" && [tables].flat().includes("entries"))).toEqual([]);
    expect(writesAmong(transactions)).toBe(1);
    expect(await staleness.invalidate({ tag: "t" }, {})).toBe(1);
    expect(changes).toEqual([
      { source: "local", type: "invalidate", key: "a:1", version: 1 },
      { source: "local", type: "invalidate", key: "b:1", version: 4 },
    ]);
  });

  it("applies from its call on, before it has marked anything, to the entries that it covers", async () => {
    let list!: (keys: string[]) => void;
    const { put, staleness } = setUp({ livingKeys: () => new Promise((resolve) => (list = resolve)) });
    await put("k");
    await put("other");
    expect(await staleness.isStale("k", 1)).toBe(false);
    const invalidating = staleness.invalidate({ pattern: "k" }, {});
    expect(await Promise.all([staleness.isStale("k", 1), staleness.isStale("other", 1)])).toEqual([true, false]);
    list(["k"]);
    expect(await invalidating).toBe(1);
  });

  it("does not apply to writes that were called later, even if they commit first", async () => {
    let list!: (keys: string[]) => void;
    const { put, staleness } = setUp({ livingKeys: () => new Promise((resolve) => (list = resolve)) });
    const earlier = staleness.orderWrite();
    const invalidating = staleness.invalidate({ pattern: "*" }, {});
    const later = staleness.orderWrite();
    for (const [key, order] of [
      ["earlier", earlier],
      ["later", later],
    ] as const) {
      order(storeDraft(key)).next(undefined, 2, NOW);
      await put(key, { version: 2 });
    }
    // This one was refused: its row is still the older one.
    later(storeDraft("refused")).next(undefined, 2, NOW);
    await put("refused", { version: 1 });
    list(["earlier", "later", "refused"]);
    expect(await invalidating).toBe(2);
    expect(await Promise.all([staleness.isStale("earlier", 2), staleness.isStale("later", 2)])).toEqual([true, false]);
    expect(await staleness.isStale("refused", 1)).toBe(true);
  });

  it("is seen by a listing of many rows, from its call on and once it has marked them", async () => {
    let list!: (keys: string[]) => void;
    const { database, put, staleness } = setUp({ livingKeys: () => new Promise((resolve) => (list = resolve)) });
    const rows = ["a", "b", "c"].map((key) => [key, rowOf(key, { writeId: ["me", 1], version: 1 })] as const);
    for (const [key] of rows) await put(key);
    const areStale = () => database.run([ENTRIES, STALE], "readonly", (transaction) => staleness.areStale(transaction, rows));
    expect(await areStale()).toEqual([false, false, false]);
    const invalidating = staleness.invalidate({ pattern: "b" }, {});
    expect(await areStale()).toEqual([false, true, false]);
    list(["b"]);
    await invalidating;
    expect(await areStale()).toEqual([false, true, false]);
  });

  it("waits for the writes that were called before it", async () => {
    const { put, queue, staleness } = setUp();
    const place = queue.enter(["k"]);
    const invalidating = staleness.invalidate({ pattern: "*" }, {});
    await put("k");
    place.leave();
    expect(await invalidating).toBe(1);
  });

  it("counts its entries once when the browser reports a transaction as lost that it has committed", async () => {
    const { database, put, staleness } = setUp();
    await put("k");
    const run = database.run.bind(database);
    vi.spyOn(database, "run").mockImplementation(async (tables, mode, work, options) => {
      if (mode === "readwrite") await run(tables, mode, work, options);
      return run(tables, mode, work, options);
    });
    expect(await staleness.invalidate({ pattern: "*" }, {})).toBe(1);
  });

  it("tells its progress slice by slice", async () => {
    const { put, staleness } = setUp();
    for (let n = 0; n < 130; n++) await put(`k${n}`);
    const told: [number, number][] = [];
    await staleness.invalidate({ pattern: "*" }, { onProgress: (...progress) => told.push(progress) });
    expect(told).toEqual([
      [64, 130],
      [128, 130],
      [130, 130],
    ]);
  });

  it("ends when it is aborted while it waits for earlier writes", async () => {
    const { queue, staleness } = setUp();
    const place = queue.enter(["k"]);
    const controller = new AbortController();
    const invalidating = staleness.invalidate({ pattern: "*" }, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(invalidating).rejects.toThrow("enough");
    place.leave();
  });

  it("is announced with its pattern and its tag", async () => {
    const onInvalidate = vi.fn<StalenessPorts["onInvalidate"]>();
    await setUp({ onInvalidate }).staleness.invalidate({ pattern: "a:*", tag: "t" }, {});
    expect(onInvalidate.mock.calls).toEqual([["a:*", "t"]]);
  });

  it("ends at the slice in which it is aborted, and what it has marked stays stale", async () => {
    const { put, staleness } = setUp();
    for (let n = 0; n < 600; n++) await put(`k${n}`);
    const controller = new AbortController();
    const onProgress = vi.fn<(done: number, total: number) => void>(() => controller.abort(new Error("enough")));
    await expect(staleness.invalidate({ pattern: "*" }, { signal: controller.signal, onProgress })).rejects.toThrow("enough");
    expect(onProgress.mock.calls).toEqual([[64, 600]]);
    expect(await staleness.invalidate({ pattern: "*" }, {})).toBe(600 - 64);
  });
});
