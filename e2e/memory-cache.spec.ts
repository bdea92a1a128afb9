import { expect, reload, test } from "./support/fixtures.ts";

test.describe("the memory cache", () => {
  test("the memory cache evicts the least recently used entries", async ({ page, openStore }) => {
    await openStore({ cacheSize: 3 });
    const seen = await page.evaluate(async () => {
      const keys = () => store.getCacheStats().keys.toSorted();
      await store.bulkStore({ a: 1, b: 1, c: 1 });
      await store.retrieve("a");
      await store.store("d", 1);
      const afterRetrieve = keys();
      await store.update("c", 2);
      await store.store("e", 1);
      const afterUpdate = keys();
      await store.retrieve("b");
      const afterMiss = keys();
      for (const key of ["e", "c", "b"]) await store.exists(key);
      await store.getMetadata("c");
      await store.listKeys();
      await store.store("f", 1);
      return { afterRetrieve, afterUpdate, afterMiss, afterOtherReads: keys(), evictions: store.getCacheStats().evictions };
    });
    expect(seen).toEqual({
      afterRetrieve: ["a", "c", "d"],
      afterUpdate: ["c", "d", "e"],
      afterMiss: ["b", "c", "e"],
      afterOtherReads: ["b", "e", "f"],
      evictions: 4,
    });
  });

  test("getCacheStats counts hits and misses of retrieve and bulkRetrieve only", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
    await reload(page);
    await openStore();
    const seen = await page.evaluate(async () => {
      const counts = () => {
        const { hits, misses } = store.getCacheStats();
        return { hits, misses };
      };
      await store.retrieve("a");
      const cold = counts();
      await store.retrieve("a");
      const warm = counts();
      await store.bulkRetrieve(["a", "b", "nothing"]);
      const bulk = counts();
      await store.exists("a");
      await store.getMetadata("a");
      await store.listKeys();
      await store.store("c", 1);
      await store.update("c", 1);
      await store.retrieve("a", { useCache: false });
      return { cold, warm, bulk, others: counts() };
    });
    expect(seen).toEqual({
      cold: { hits: 0, misses: 1 },
      warm: { hits: 1, misses: 1 },
      bulk: { hits: 2, misses: 3 },
      others: { hits: 2, misses: 3 },
    });
  });

  test("store, update, bulkStore and retrieve fill the memory cache, but exists, getMetadata and listKeys do not", async ({
    page,
    openStore,
  }) => {
    await openStore();
    await page.evaluate(() => store.bulkStore({ asked: 1, described: 1, read: 1, readInBulk: 1 }));
    await reload(page);
    await openStore();
    const keys = await page.evaluate(async () => {
      await store.exists("asked");
      await store.getMetadata("described");
      await store.listKeys();
      await store.retrieve("read");
      await store.bulkRetrieve(["readInBulk"]);
      await store.store("stored", 1);
      await store.update("updated", 1);
      await store.bulkStore({ bulk: 1 });
      return store.getCacheStats().keys.toSorted();
    });
    expect(keys).toEqual(["bulk", "read", "readInBulk", "stored", "updated"]);
  });

  test("getCacheStats measures the memory usage of the cached values", async ({ page, openStore }) => {
    await openStore({ cacheSize: 2, compression: { thresholdBytes: 0 } });
    const seen = await page.evaluate(async () => {
      const usage = () => store.getCacheStats().memoryUsage;
      await store.store("a", "x".repeat(1000), { format: "text" });
      const one = usage();
      await store.store("b", "é", { format: "text" });
      const two = usage();
      await store.store("a", "x", { format: "text" });
      const smaller = usage();
      await store.store("c", "", { format: "text" });
      const evicted = usage();
      await store.delete("a");
      return { one, two, smaller, evicted, deleted: usage(), size: store.getCacheStats().size };
    });
    expect(seen).toEqual({ one: 1000, two: 1002, smaller: 3, evicted: 1, deleted: 0, size: 1 });
  });

  test("cacheSize 0 turns the memory cache off", async ({ page, openStore }) => {
    await openStore({ cacheSize: 0 });
    const seen = await page.evaluate(async () => {
      await store.store("a", { v: 1 });
      const values = [await store.retrieve("a"), await store.retrieve("a")];
      return { values, stats: store.getCacheStats() };
    });
    expect(seen).toEqual({
      values: [{ v: 1 }, { v: 1 }],
      stats: { size: 0, maxSize: 0, memoryUsage: 0, hits: 0, misses: 2, evictions: 0, keys: [] },
    });
  });
});
