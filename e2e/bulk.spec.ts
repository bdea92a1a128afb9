import { expect, test } from "./support/fixtures.ts";

test.describe("bulkStore", () => {
  test("bulkStore accepts an object, an array, a Map, a generator and an empty collection", async ({ page, openStore }) => {
    await openStore();
    const results = await page.evaluate(async () => {
      function* pairs() {
        yield ["g", 1] as const;
        yield ["h", 2] as const;
      }
      const keysOf = async (results: Promise<Map<string, boolean>>) => [...(await results).keys()];
      const array = [
        ["c", 1],
        ["d", 2],
      ] as const;
      return {
        object: await keysOf(store.bulkStore({ a: 1, b: 2 })),
        array: await keysOf(store.bulkStore(array)),
        map: await keysOf(store.bulkStore(new Map(Object.entries({ e: 1, f: 2 })))),
        generator: await keysOf(store.bulkStore(pairs())),
        emptyObject: await keysOf(store.bulkStore({})),
        emptyArray: await keysOf(store.bulkStore([])),
        listed: await store.listKeys(),
      };
    });
    expect(results).toEqual({
      object: ["a", "b"],
      array: ["c", "d"],
      map: ["e", "f"],
      generator: ["g", "h"],
      emptyObject: [],
      emptyArray: [],
      listed: ["a", "b", "c", "d", "e", "f", "g", "h"],
    });
  });

  test("bulkStore applies its options to every item", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.bulkStore({ a: "1", b: "2" }, { format: "text", ttl: 9, tags: ["t"] });
      return Promise.all(
        ["a", "b"].map(async (key) => {
          const { format, ttl, tags } = (await store.getMetadata(key))!;
          return { key, format, ttl, tags };
        }),
      );
    });
    expect(seen).toEqual(["a", "b"].map((key) => ({ key, format: "text", ttl: 9, tags: ["t"] })));
  });

  test("bulkStore writes a repeated key once with its last value", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const results = await store.bulkStore([
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]);
      return { results: Object.fromEntries(results), value: await store.retrieve("a"), version: (await store.getMetadata("a"))?.version };
    });
    expect(seen).toEqual({ results: { a: true, b: true }, value: 3, version: 1 });
    await wire.waitFor(2);
    expect((await wire.settled()).map(({ envelope }) => `${envelope?.key} ${envelope?.value}`).toSorted()).toEqual(["a 3", "b 2"]);
  });

  test("bulkStore writes nothing when one of 3,000 items is invalid", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const items = new Map<string, unknown>(Array.from({ length: 3_000 }, (_, index) => [`k${index}`, index]));
      return {
        badValue: await aids.refusalOf(() => store.bulkStore(new Map([...items, ["bad", () => 1]]))),
        badKey: await aids.refusalOf(() => store.bulkStore(new Map([...items, ["", 1]]))),
        keys: await store.listKeys(),
        pending: await store.pendingWrites(),
      };
    });
    expect(seen).toMatchObject({ badValue: { code: "INVALID_VALUE", key: "bad" }, badKey: { code: "INVALID_KEY" }, keys: [], pending: [] });
    expect(seen.badValue).not.toHaveProperty("results");
    expect(await wire.settled()).toEqual([]);
  });

  test("bulkStore writes nothing when the last of 1,000 items is too large", async ({ page, openStore, wire }) => {
    await openStore({ maxPayloadBytes: 10_000 });
    const seen = await page.evaluate(async () => {
      const items = Object.fromEntries(Array.from({ length: 999 }, (_, index) => [`k${index}`, index as unknown]));
      const refusal = await aids.refusalOf(() => store.bulkStore({ ...items, large: "x".repeat(20_000) }));
      return { refusal, keys: await store.listKeys() };
    });
    expect(seen).toMatchObject({ refusal: { code: "PAYLOAD_TOO_LARGE", key: "large", results: [] }, keys: [] });
    expect(await wire.settled()).toEqual([]);
  });

  test("bulkStore rejects with a KeyStoreError when its argument is not a list of pairs", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const inputs: unknown[] = [undefined, null, 1, "ab", [["a"]], ["ab"], [["a", 1, 2]], [null], [{ a: 1 }]];
      const refusals = await Promise.all(inputs.map((input) => aids.refusalOf(() => store.bulkStore(input as []))));
      return { isKeyStoreError: refusals.map((refusal) => refusal?.isKeyStoreError), keys: await store.listKeys() };
    });
    expect(seen).toEqual({ isKeyStoreError: Array.from({ length: 9 }, () => true), keys: [] });
  });

  test("bulkStore returns the results of 2,500 items in the order of the items", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const keys = Array.from({ length: 2_500 }, (_, index) => `k${(index * 7919) % 2_500}`);
      const results = await store.bulkStore(keys.map((key, index) => [key, index] as const));
      return {
        isInOrder: [...results.keys()].join() === keys.join(),
        allConfirmed: [...results.values()].every(Boolean),
        entries: (await store.getStorageStats()).entries,
      };
    });
    expect(seen).toEqual({ isInOrder: true, allConfirmed: true, entries: 2_500 });
    await wire.waitFor(2_500);
    expect(new Set((await wire.settled()).map(({ subject }) => subject)).size).toBe(2_500);
  });

  test("each entry of a large bulkStore behaves as if it was stored alone", async ({ page, openStore, wire, namespace, nats }) => {
    await openStore();
    const seen = await page.evaluate(
      async ([servers, namespace]) => {
        const items = new Map(Array.from({ length: 200 }, (_, n) => [`k${n}`, { n }]));
        await store.bulkStore(items);
        // Other stores know that a write is confirmed only after the confirmation is in the database.
        await store.pendingWrites();
        const other = new keystore.NASKeyStore({ servers, namespace, cacheSize: 0, timeoutMs: aids.LONG_MS });
        const read = await other.bulkRetrieve(items.keys());
        const one = await other.retrieve("k77");
        const { version, pending } = (await other.getMetadata("k77"))!;
        const conflict = await aids.refusalOf(() => other.store("k0", "new", { ifVersion: 7 }));
        const results = await Promise.all([
          other.store("k0", "new", { ifVersion: 1 }),
          other.update("k1", "updated", { tags: ["t"] }),
          other.store("k2", "brief", { ttl: 100 }),
          other.delete("k3"),
        ]);
        const after = await other.bulkRetrieve(["k0", "k1", "k2", "k3", "k4"]);
        return {
          read: [...read].every(([key, value]) => (value as { n: number }).n === items.get(key)?.n) && read.size,
          one,
          metadata: [version, pending, conflict?.code],
          results,
          after: [...after],
          versions: await Promise.all(["k0", "k1", "k2", "k4"].map(async (key) => (await other.getMetadata(key))?.version)),
          tagged: await other.listKeys("*", { tag: "t" }),
          listed: await other.listKeys("k19*"),
          stats: (await other.getStorageStats()).entries,
          here: [await store.retrieve("k0"), await store.exists("k3")],
          again: [...(await store.bulkStore(items)).values()].every(Boolean),
          versionsAgain: await Promise.all(["k0", "k3", "k4"].map(async (key) => (await store.getMetadata(key))?.version)),
          pending: await store.pendingWrites(),
          cleared: [await other.clearCache(), await other.listKeys()],
        };
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual({
      read: 200,
      one: { n: 77 },
      metadata: [1, false, "VERSION_CONFLICT"],
      results: [true, true, true, true],
      after: [
        ["k0", "new"],
        ["k1", "updated"],
        ["k2", "brief"],
        ["k4", { n: 4 }],
      ],
      versions: [2, 2, 2, 1],
      tagged: ["k1"],
      listed: ["k19", "k190", "k191", "k192", "k193", "k194", "k195", "k196", "k197", "k198", "k199"],
      stats: 199,
      here: ["new", false],
      again: true,
      versionsAgain: [3, 3, 2],
      pending: [],
      cleared: [undefined, []],
    });
    await wire.waitFor(404);
  });

  test("the next page reads and publishes a large bulkStore that was queued", async ({ page, wire, namespace, nats }) => {
    const queued = await page.evaluate(async (namespace) => {
      const connect = (): Promise<never> => Promise.reject(new Error("The server is unreachable"));
      const offline = new keystore.NASKeyStore({ namespace, connect });
      const results = await offline.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${n}`, n] as const));
      await offline.store("k0", "newer");
      await offline.delete("k1");
      await offline.clearCache();
      return { someConfirmed: [...results.values()].some(Boolean), keys: (await offline.listKeys()).length };
    }, namespace);
    expect(queued).toEqual({ someConfirmed: false, keys: 199 });

    await page.reload();
    const seen = await page.evaluate(
      async ([servers, namespace]) => {
        const next = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
        return {
          overwritten: await next.retrieve("k0"),
          deleted: await next.retrieve("k1"),
          readable: (await next.bulkRetrieve(await next.listKeys())).size,
          pending: (await next.flush()).pending,
          pendingWrites: await next.pendingWrites(),
        };
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual({ overwritten: "newer", deleted: undefined, readable: 199, pending: 0, pendingWrites: [] });
    await wire.waitFor(200);
    const last = new Map(
      (await wire.settled()).map(({ envelope }) => [envelope?.key, envelope?.operation === "store" ? envelope.value : undefined]),
    );
    expect(last.size).toBe(200);
    expect(Object.fromEntries(last)).toMatchObject({ k0: '"newer"', k1: undefined, k199: "199" });
  });

  test("eviction removes the oldest entries of a large bulkStore one by one and keeps an entry that was read since", async ({
    page,
    openStore,
    nats,
    namespace,
  }) => {
    await openStore();
    const left = await page.evaluate(
      async ([servers, namespace]) => {
        // Without a limit first, because eviction skips unconfirmed entries.
        await store.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${String(n).padStart(3, "0")}`, n] as const));
        await store.close();
        const limited = new keystore.NASKeyStore({ servers, namespace, maxEntries: 150, timeoutMs: aids.LONG_MS });
        const settled = async () => {
          while ((await limited.getStorageStats()).entries !== 150) await new Promise((resolve) => setTimeout(resolve, 10));
        };
        await settled();
        await limited.retrieve("k050");
        await limited.store("one more", 1);
        await settled();
        return { firstKeys: (await limited.listKeys()).slice(0, 3), value: await limited.retrieve("k050", { useCache: false }) };
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(left).toEqual({ firstKeys: ["k050", "k052", "k053"], value: 50 });
  });

  test("a small bulkStore with ifVersion writes nothing when one key conflicts", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("b", 0);
      const refusal = await aids.refusalOf(() => store.bulkStore({ a: 1, b: 1, c: 1 }, { ifVersion: 0 }));
      return { refusal, keys: await store.listKeys(), value: await store.retrieve("b") };
    });
    expect(seen).toMatchObject({ refusal: { code: "VERSION_CONFLICT", key: "b", results: [] }, keys: ["b"], value: 0 });
    expect(await wire.settled()).toHaveLength(1);
  });

  test("a large bulkStore with ifVersion names the keys that it committed before the conflict", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("k1900", "there before");
      const refusal = await aids.refusalOf(() =>
        store.bulkStore(
          Array.from({ length: 2_000 }, (_, index) => [`k${index}`, index] as const),
          { ifVersion: 0 },
        ),
      );
      const committed = new Map(refusal?.results);
      const there = (await store.listKeys()).filter((key) => key !== "k1900");
      return {
        code: refusal?.code,
        key: refusal?.key,
        some: committed.size > 0 && committed.size < 1_900,
        same: there.toSorted().join() === [...committed.keys()].toSorted().join(),
        confirmed: [...committed.values()].every(Boolean),
        kept: await store.retrieve("k1900"),
        size: committed.size,
      };
    });
    expect(seen).toMatchObject({ code: "VERSION_CONFLICT", key: "k1900", some: true, same: true, confirmed: true, kept: "there before" });
    await wire.waitFor(1 + seen.size);
    expect(await wire.settled()).toHaveLength(1 + seen.size);
  });
});

test("bulkRetrieve returns each existing key once in the order of the given keys", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    function* keys() {
      yield* ["c", "nothing", "a", "c", "b"];
    }
    return {
      generator: [...(await store.bulkRetrieve(keys()))],
      set: [...(await store.bulkRetrieve(new Set(["b", "a"]), { useCache: false }))],
      noKeys: [...(await store.bulkRetrieve([]))],
    };
  });
  expect(seen).toEqual({
    generator: [
      ["c", 3],
      ["a", 1],
      ["b", 2],
    ],
    set: [
      ["b", 2],
      ["a", 1],
    ],
    noKeys: [],
  });
});
