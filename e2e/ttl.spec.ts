import { expect, test } from "./support/fixtures.ts";

/** The time of the page at the start of a test. */
const T = 1_800_000_000_000;

test.describe("TTL", () => {
  for (const cacheSize of [100, 0]) {
    test(`every operation treats an expired entry as absent when cacheSize is ${cacheSize}`, async ({ page, openStore }) => {
      await openStore({ cacheSize });
      const look = (at: number) =>
        page.evaluate(async (at) => {
          aids.setClock(at);
          return {
            // Operations that remove nothing come first.
            listKeys: await store.listKeys(),
            prefix: await store.listKeys("listed*"),
            tag: await store.listKeys("*", { tag: "t" }),
            stats: (await store.getStorageStats()).entries,
            bytes: (await store.getStorageStats()).bytes,
            cached: store.getCacheStats().keys.length > 0,
            retrieve: (await store.retrieve("retrieved")) !== undefined,
            useCache: (await store.retrieve("not cached", { useCache: false })) !== undefined,
            exists: await store.exists("asked for"),
            getMetadata: (await store.getMetadata("described")) !== undefined,
            bulkRetrieve: [...(await store.bulkRetrieve(["in bulk 1", "in bulk 2"])).keys()],
          };
        }, at);
      const keys = ["asked for", "described", "in bulk 1", "in bulk 2", "listed", "not cached", "retrieved", "stored again", "updated"];
      await page.evaluate(
        async ([keys, T]) => {
          aids.setClock(T);
          await store.bulkStore(
            keys.map((key) => [key, 1] as const),
            { ttl: 10, tags: ["t"] },
          );
        },
        [keys, T] as const,
      );
      expect(await look(T + 9_999)).toEqual({
        listKeys: keys,
        prefix: ["listed"],
        tag: keys,
        stats: 9,
        bytes: 9,
        cached: cacheSize > 0,
        retrieve: true,
        useCache: true,
        exists: true,
        getMetadata: true,
        bulkRetrieve: ["in bulk 1", "in bulk 2"],
      });
      expect(await look(T + 10_000)).toEqual({
        listKeys: [],
        prefix: [],
        tag: [],
        stats: 0,
        bytes: 0,
        cached: false,
        retrieve: false,
        useCache: false,
        exists: false,
        getMetadata: false,
        bulkRetrieve: [],
      });
      const after = await page.evaluate(async () => {
        await store.update("updated", 2);
        await store.store("stored again", 2, { ifVersion: 0 });
        const updated = await store.getMetadata("updated");
        return {
          updated: { version: updated?.version, ttl: updated?.ttl, tags: updated?.tags, createdAt: updated?.createdAt.getTime() },
          storedVersion: (await store.getMetadata("stored again"))?.version,
          deleted: await store.delete("asked for"),
        };
      });
      expect(after).toEqual({ updated: { version: 2, ttl: null, tags: [], createdAt: T + 10_000 }, storedVersion: 2, deleted: false });
    });
  }

  test("a ttl can be a fraction of a second", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { ttl: 0.25 });
      aids.setClock(T + 249);
      const before = await store.exists("k");
      aids.setClock(T + 250);
      return { before, after: await store.exists("k") };
    }, T);
    expect(seen).toEqual({ before: true, after: false });
  });

  test("a ttl starts at the last write of the key", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { ttl: 10 });
      aids.setClock(T + 9_000);
      await store.update("k", 2);
      aids.setClock(T + 18_999);
      const before = await store.retrieve("k");
      const { ttl, expiresAt } = (await store.getMetadata("k"))!;
      aids.setClock(T + 19_000);
      return { value: before, ttl, expiresAt: expiresAt?.getTime(), existsAfterwards: await store.exists("k") };
    }, T);
    expect(seen).toEqual({ value: 2, ttl: 10, expiresAt: T + 19_000, existsAfterwards: false });
  });

  test("defaultTtl applies to writes without a ttl, and null means that the entry never expires", async ({ page, openStore }) => {
    await openStore({ defaultTtl: 5 });
    const seen = await page.evaluate(async () => {
      await store.store("default", 1);
      await store.store("own", 1, { ttl: 7 });
      await store.store("never", 1, { ttl: null });
      await store.bulkStore({ bulk: 1 });
      await store.update("created", 1);
      await store.update("never", 2);
      await store.store("stored again", 1, { ttl: 7 });
      await store.store("stored again", 2);
      const keys = ["default", "own", "never", "bulk", "created", "stored again"];
      return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, (await store.getMetadata(key))?.ttl] as const)));
    });
    expect(seen).toEqual({ default: 5, own: 7, never: null, bulk: 5, created: 5, "stored again": 5 });
  });

  test("sweep removes expired entries and resolves with their number", async ({ page, openStore, namespace }) => {
    await openStore();
    const seen = await page.evaluate(
      async ([T, namespace]) => {
        aids.setClock(T);
        await store.bulkStore(
          Array.from({ length: 1_000 }, (_, index) => [`short ${index}`, index] as const),
          { ttl: 1 },
        );
        await store.bulkStore({ long: 1, longer: 2 }, { ttl: 100 });
        await store.store("for ever", 1);
        aids.setClock(T + 1_000);
        return { first: await store.sweep(), keys: await aids.rawKeys(namespace), second: await store.sweep() };
      },
      [T, namespace] as const,
    );
    expect(seen).toEqual({ first: 1_000, keys: ["for ever", "long", "longer"], second: 0 });
  });

  test("expired entries are removed in the background", async ({ page, openStore, namespace }) => {
    await openStore({ sweepIntervalMs: 20 });
    await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ short: 1, shorter: 1 }, { ttl: 1 });
      await store.store("long", 1);
      aids.setClock(T + 1_000);
    }, T);
    await expect.poll(() => page.evaluate((namespace) => aids.rawKeys(namespace), namespace)).toEqual(["long"]);
  });

  test("an operation that finds an expired entry removes it", async ({ page, openStore, namespace }) => {
    await openStore({ sweepIntervalMs: 0 });
    await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ retrieved: 1, asked: 1, untouched: 1 }, { ttl: 1 });
      aids.setClock(T + 1_000);
      await store.retrieve("retrieved");
      await store.exists("asked");
    }, T);
    await expect.poll(() => page.evaluate((namespace) => aids.rawKeys(namespace), namespace)).toEqual(["untouched"]);
  });

  test("a swept entry stays absent when the clock jumps back", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ a: 1, b: 1 }, { ttl: 10, tags: ["t"] });
      aids.setClock(T + 10_000);
      await store.sweep();
      aids.setClock(T + 1);
      return {
        exists: await store.exists("a"),
        isAbsent: (await store.retrieve("b")) === undefined,
        keys: await store.listKeys(),
        tagged: await store.listKeys("*", { tag: "t" }),
      };
    }, T);
    expect(seen).toEqual({ exists: false, isAbsent: true, keys: [], tagged: [] });
  });

  for (const way of ["retrieve", "retrieve without the cache", "exists", "getMetadata", "bulkRetrieve", "listKeys"] as const) {
    test(`an entry that ${way} has found expired stays absent when the clock jumps back`, async ({ page, openStore }) => {
      await openStore({ sweepIntervalMs: 0 });
      const seen = await page.evaluate(
        async ([T, way]) => {
          aids.setClock(T);
          await store.store("k", 1, { ttl: 10 });
          aids.setClock(T + 10_000);
          if (way === "retrieve") await store.retrieve("k");
          if (way === "retrieve without the cache") await store.retrieve("k", { useCache: false });
          if (way === "exists") await store.exists("k");
          if (way === "getMetadata") await store.getMetadata("k");
          if (way === "bulkRetrieve") await store.bulkRetrieve(["k"]);
          if (way === "listKeys") await store.listKeys();
          aids.setClock(T + 1);
          const cached = (await store.retrieve("k")) === undefined;
          return {
            isAbsentFromMemory: cached,
            isAbsentFromIndexedDB: (await store.retrieve("k", { useCache: false })) === undefined,
            exists: await store.exists("k"),
            keys: await store.listKeys(),
          };
        },
        [T, way] as const,
      );
      expect(seen).toEqual({ isAbsentFromMemory: true, isAbsentFromIndexedDB: true, exists: false, keys: [] });
    });
  }

  test("versions keep their order when the clock jumps back", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", "first");
      aids.setClock(T - 3_600_000);
      await store.store("k", "second");
      return { value: await store.retrieve("k", { useCache: false }), version: (await store.getMetadata("k"))?.version };
    }, T);
    expect(seen).toEqual({ value: "second", version: 2 });
    expect((await wire.waitFor(2)).map(({ envelope }) => envelope?.metadata?.version)).toEqual([1, 2]);
  });

  test("an expired entry that is queued stays absent when the clock jumps back, and its message is published", async ({
    page,
    openStore,
    nats,
    openLink,
    wire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      const stored = await store.store("k", "kept", { ttl: 10 });
      aids.setClock(T + 10_000);
      const swept = await store.sweep();
      const keys = await store.listKeys();
      aids.setClock(T + 1);
      return { stored, swept, keys, exists: await store.exists("k"), pending: (await store.pendingWrites()).map(({ key }) => key) };
    }, T);
    expect(seen).toEqual({ stored: false, swept: 0, keys: [], exists: false, pending: ["k"] });
    await link.mend();
    await page.evaluate(() => store.flush());
    expect((await wire.waitFor(1))[0]?.envelope).toMatchObject({ key: "k", value: '"kept"' });
  });

  test("a store of an expired key continues from its unconfirmed version", async ({
    page,
    openStore,
    nats,
    openLink,
    wire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", "first", { ttl: 10 });
      aids.setClock(T + 10_000);
      await store.store("k", "second", { ifVersion: 0 });
      return {
        version: (await store.getMetadata("k"))?.version,
        pendingVersions: (await store.pendingWrites()).map(({ version }) => version),
      };
    }, T);
    expect(seen).toEqual({ version: 2, pendingVersions: [2] });
    await link.mend();
    await page.evaluate(() => store.flush());
    expect((await wire.waitFor(1)).at(-1)?.envelope?.metadata?.version).toBe(2);
  });
});
