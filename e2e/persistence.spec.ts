import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

test.describe("stored entries", () => {
  test("an entry of any format keeps its value and metadata across a reload", async ({ page, openStore }) => {
    await openStore({ compression: true });
    const look = () =>
      page.evaluate(async () => ({
        json: await store.retrieve("json"),
        text: await store.retrieve("text"),
        binary: [...((await store.retrieve<Uint8Array>("binary")) ?? [])],
        structured: [...((await store.retrieve<Map<string, bigint>>("structured")) ?? [])],
        long: await store.retrieve("long"),
        metadata: await Promise.all(["json", "text", "binary", "structured", "long"].map((key) => store.getMetadata(key))),
      }));
    await page.evaluate(async () => {
      await store.store("json", { a: 1 }, { tags: ["t"], ttl: 1000 });
      await store.store("text", "é", { format: "text" });
      await store.store("binary", Uint8Array.of(1, 2), { format: "binary" });
      await store.store("structured", new Map([["a", 1n]]), { format: "structured" });
      await store.store("long", "x".repeat(5000));
      // Records in the database that these writes are confirmed.
      await store.flush();
    });
    const before = await look();
    await reload(page);
    await openStore({ compression: true });
    expect(await page.evaluate(() => store.listKeys())).toEqual(["binary", "json", "long", "structured", "text"]);
    expect(await look()).toEqual(before);
  });

  test("a store in a second page reads an entry of the first page", async ({ page, openPage, openStore, nats, namespace }) => {
    await openStore();
    await page.evaluate(() => store.store("k", { a: 1 }));
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    const read = await second.evaluate(async () => ({ value: await store.retrieve("k"), keys: await store.listKeys() }));
    expect(read).toEqual({ value: { a: 1 }, keys: ["k"] });
  });

  test("a store of another namespace does not list the entry", async ({ page, openStore, namespace }) => {
    await openStore();
    await page.evaluate(() => store.store("k", 1));
    await openStore({ namespace: `${namespace}-other` });
    expect(await page.evaluate(() => store.listKeys())).toEqual([]);
  });

  test("a page reads the newest value although it has an older one in memory", async ({ page, openPage, openStore, nats, namespace }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    const read = () =>
      second.evaluate(async () => ({ value: await store.retrieve("k"), version: (await store.getMetadata("k"))?.version }));
    for (let version = 1; version <= 10; version++) {
      await page.evaluate((version) => store.store("k", { version }), version);
      expect(await read()).toEqual({ value: { version }, version });
      expect(await read()).toEqual({ value: { version }, version });
    }
    await page.evaluate(() => store.delete("k"));
    expect(await second.evaluate(async () => ({ exists: await store.exists("k"), value: await store.retrieve("k") }))).toEqual({
      exists: false,
      value: undefined,
    });
    await page.evaluate(() => store.store("k", "new"));
    expect(await read()).toEqual({ value: "new", version: 12 });
    await page.evaluate(() => store.clearCache());
    expect(await second.evaluate(async () => (await store.retrieve("k")) === undefined)).toBe(true);
  });

  test("two pages that write a key at the same time give each write its own version and read the same last value", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
    wire,
  }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    const write = (who: string) => async (in_: typeof page) =>
      in_.evaluate((who) => Promise.all(Array.from({ length: 20 }, (_, index) => store.store("k", `${who} ${index}`))), who);
    await Promise.all([write("first")(page), write("second")(second)]);
    await Promise.all([page.evaluate(() => store.flush()), second.evaluate(() => store.flush())]);

    const look = (in_: typeof page) =>
      in_.evaluate(async () => ({
        value: await store.retrieve("k", { useCache: false }),
        version: (await store.getMetadata("k"))?.version,
      }));
    const { value, version } = await look(page);
    expect(version).toBe(40);
    expect(await look(second)).toEqual({ value, version });
    const last = (await wire.settled()).at(-1)?.envelope;
    expect(last?.metadata?.version).toBe(40);
    expect(last?.value).toBe(JSON.stringify(value));
  });
});

test.describe("the database of a store", () => {
  test("destroyNamespace empties the memory of a store, dispatches reset, and the store works again", async ({
    page,
    openStore,
    namespace,
  }) => {
    await openStore();
    const seen = await page.evaluate(async (namespace) => {
      await store.store("k", 1);
      await store.store("k", 2);
      await keystore.destroyNamespace(namespace);
      const cached = store.getCacheStats().size;
      const read = (await store.retrieve("k")) === undefined;
      const resets = events.filter(({ type }) => type === "reset").map(({ detail }) => typeof detail.reason);
      const stored = await store.store("k", 3);
      return {
        cached,
        isAbsent: read,
        resets,
        stored,
        version: (await store.getMetadata("k"))?.version,
        value: await store.retrieve("k", { useCache: false }),
      };
    }, namespace);
    expect(seen).toEqual({ cached: 0, isAbsent: true, resets: ["string"], stored: true, version: 1, value: 3 });
  });

  test("destroyNamespace removes queued writes", async ({ page, openStore, nats, openLink, namespace, wire, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (namespace) => {
      const stored = await store.store("k", 1);
      await keystore.destroyNamespace(namespace);
      return { stored, pending: await store.pendingWrites(), keys: await store.listKeys() };
    }, namespace);
    expect(seen).toEqual({ stored: false, pending: [], keys: [] });
    await link.mend();
    await page.evaluate(async () => {
      await store.flush();
      await store.store("other", 1);
    });
    await wire.waitFor(1);
    expect((await wire.settled()).map(({ envelope }) => envelope?.key)).toEqual(["other"]);
  });

  test("destroyNamespace resolves when the database does not exist", async ({ page, namespace }) => {
    expect(
      await page.evaluate(async (namespace) => (await aids.refusalOf(() => keystore.destroyNamespace(namespace))) === undefined, namespace),
    ).toBe(true);
  });

  test("a store reopens its database after another page has made it close it", async ({ page, openPage, openStore, namespace }) => {
    await openStore();
    const second = await openPage();
    await page.evaluate(() => store.store("k", { a: 1 }));
    await second.evaluate((namespace) => aids.disturbDatabase(namespace), namespace);
    const seen = await page.evaluate(async () => ({
      before: await store.retrieve("k"),
      stored: await store.store("k", { a: 2 }, { ifVersion: 1 }),
      after: await store.retrieve("k", { useCache: false }),
      keys: await store.listKeys(),
      resets: events.filter(({ type }) => type === "reset").length,
    }));
    expect(seen).toEqual({ before: { a: 1 }, stored: true, after: { a: 2 }, keys: ["k"], resets: 0 });
  });

  test("no running operation is lost when another page makes a store close its database", async ({
    page,
    openPage,
    openStore,
    namespace,
    wire,
  }) => {
    await openStore();
    const second = await openPage();
    await page.evaluate(() => store.store("k", -1));
    const [results] = await Promise.all([
      page.evaluate(() => Promise.all(Array.from({ length: 200 }, (_, index) => store.store(`k${index}`, index)))),
      second.evaluate(async (namespace) => {
        for (let time = 0; time < 10; time++) await aids.disturbDatabase(namespace);
      }, namespace),
    ]);
    expect(new Set(results)).toEqual(new Set([true]));
    expect(await page.evaluate(async () => (await store.listKeys()).length)).toBe(201);
    await wire.waitFor(201);
  });

  test("getStorageStats counts entries, bytes and writes", async ({ page, openStore, nats, openLink, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, compression: { thresholdBytes: 0 } });
    await page.evaluate(async () => {
      await store.store("a", "x".repeat(1000), { format: "text" });
      await store.store("b", "é", { format: "text" });
      await store.store("c", 1);
      await store.delete("c");
    });
    await link.cut();
    const stats = await page.evaluate(async () => {
      await store.store("d", 1);
      await store.delete("b");
      return store.getStorageStats();
    });
    expect(stats).toEqual({
      entries: 2,
      bytes: 1001,
      pendingWrites: 2,
      rejectedWrites: 0,
      quotaBytes: expect.any(Number),
      usageBytes: expect.any(Number),
    });
  });

  test("clearCache keeps unconfirmed entries", async ({ page, openStore, nats, openLink, wire, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2, e: 5 }));
    await link.cut();
    const seen = await page.evaluate(async () => {
      await store.store("b", "changed");
      await store.store("c", 3);
      await store.delete("e");
      await store.clearCache();
      const pending = (await store.pendingWrites()).map(({ key, operation }) => `${operation} ${key}`).toSorted();
      return { keys: await store.listKeys(), cached: store.getCacheStats().size, value: await store.retrieve("b"), pending };
    });
    expect(seen).toEqual({ keys: ["b", "c"], cached: 0, value: "changed", pending: ["delete e", "store b", "store c"] });
    await link.mend();
    await page.evaluate(() => store.flush());
    const late = (await wire.waitFor(6)).slice(3).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}`);
    expect(new Set(late)).toEqual(new Set(["store b", "store c", "delete e"]));
  });
});
