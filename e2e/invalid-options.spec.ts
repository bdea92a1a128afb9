import { expect, test } from "./support/fixtures.ts";

/** Options that this store cannot serve: they are misspelt, or need durable mode. They must be refused, not ignored. */
const UNSERVED = {
  constructor: { encryption: { key: {} }, durable: "yes" },
  store: { persistent: false, ifRevision: 1 },
  bulkStore: { persistent: false, ifRevision: 1 },
  retrieve: { pull: "missing" },
  delete: { ifRevision: 1 },
};

/** Descriptions of values that `page.evaluate` cannot pass. `aids.made` makes the values in the page. */
const HALF_A_PAIR = { make: "half a pair" };
const A_SET = { make: "a set" };
const A_CONTROLLER = { make: "a controller" };

const WRONG: Record<"constructor" | "store" | "retrieve" | "delete" | "listKeys" | "flush", Record<string, unknown[]>> = {
  constructor: {
    servers: [1, null, "", [], [1], "http://localhost:9222", "localhost:9222", "nats://localhost", ["ws://a", ""], {}],
    namespace: [
      1,
      null,
      "",
      "a b",
      "a\tb",
      "a\0",
      "a\u00a0b",
      "*",
      "a.*",
      ">",
      "a.>",
      "a..b",
      ".a",
      "a.",
      "$SYS",
      "a\r\nb",
      "x".repeat(256),
      "é".repeat(128),
      HALF_A_PAIR,
    ],
    cacheSize: [-1, 1.5, "1", NaN, Infinity, null],
    maxPayloadBytes: [0, -1, 1.5, "1", NaN, null],
    defaultTtl: [0, -1, "1", NaN, Infinity],
    sweepIntervalMs: [-1, "1", NaN, Infinity, null],
    lingerMs: [-1, "1", NaN, Infinity, null],
    timeoutMs: [0, -1, "1", NaN, Infinity, null],
    compression: [
      1,
      "gzip",
      null,
      {},
      { thresholdBytes: -1 },
      { thresholdBytes: "1" },
      { thresholdBytes: NaN },
      { thresholdBytes: 1, level: 9 },
    ],
    connection: [1, "user", null, []],
    connect: [1, "connect", {}, null],
    maxEntries: [-1, 1.5, "1", NaN, null],
    maxBytes: [-1, 1.5, "1", NaN, null],
    persist: [1, "true", null],
  },
  store: {
    format: [1, null, "pickle", "JSON", "xml", "toString"],
    ttl: [0, -1, "1", NaN, Infinity, {}],
    tags: [1, null, "tag", [1], [null], [HALF_A_PAIR], A_SET],
    ifVersion: [-1, 1.5, "1", NaN, null],
    signal: [1, null, {}, A_CONTROLLER],
  },
  retrieve: { useCache: [1, null, "false"], signal: [1, null, {}] },
  delete: { ifVersion: [-1, 1.5, "1", null], signal: [1, null] },
  listKeys: { tag: [1, null, ["a"], HALF_A_PAIR] },
  flush: { signal: [1, null] },
};

test.describe("options", () => {
  test("the constructor refuses an unknown option by name", async ({ page, nats, namespace }) => {
    const wrong = await page.evaluate(
      async ([base, later]) => {
        const wrong: string[] = [];
        for (const [name, value] of Object.entries({ ...later, nonsense: 1, Namespace: "a", timeout: 5, toString: 1 })) {
          const refusal = await aids.refusalOf(() => new keystore.NASKeyStore({ ...base, [name]: value ?? (() => undefined) }));
          if (refusal?.code !== "INVALID_OPTION" || !refusal.isKeyStoreError || !refusal.message.includes(name)) {
            wrong.push(`${name}: ${JSON.stringify(refusal)}`);
          }
        }
        return wrong;
      },
      [{ servers: nats.wsUrl, namespace }, UNSERVED.constructor] as const,
    );
    expect(wrong).toEqual([]);
  });

  test("the constructor refuses an option of a wrong type by name", async ({ page, nats, namespace }) => {
    const wrong = await page.evaluate(
      async ([base, cases]) => {
        const wrong: string[] = [];
        for (const [name, values] of Object.entries(cases)) {
          for (const value of values.map(aids.made)) {
            const refusal = await aids.refusalOf(() => new keystore.NASKeyStore({ ...base, [name]: value }));
            if (refusal?.code !== "INVALID_OPTION" || !refusal.isKeyStoreError || !refusal.message.includes(name)) {
              wrong.push(`${name}: ${JSON.stringify(value)}: ${JSON.stringify(refusal)}`);
            }
          }
        }
        for (const options of [null, 1, "ws://localhost:9222", []]) {
          const refusal = await aids.refusalOf(() => new keystore.NASKeyStore(options as object));
          if (refusal?.code !== "INVALID_OPTION") wrong.push(`${JSON.stringify(options)}: ${JSON.stringify(refusal)}`);
        }
        return wrong;
      },
      [{ servers: nats.wsUrl, namespace }, WRONG.constructor] as const,
    );
    expect(wrong).toEqual([]);
  });

  test("the constructor accepts valid options and treats undefined as absent", async ({ page, namespace }) => {
    const refusals = await page.evaluate(async (namespace) => {
      const good = [
        undefined,
        {},
        { servers: "wss://example.org:443/path", namespace: `${namespace}.a.b`, cacheSize: 0, maxPayloadBytes: 1, defaultTtl: 0.5 },
        { servers: ["ws://127.0.0.1:1", "ws://[::1]:1"], sweepIntervalMs: 0, lingerMs: 0, timeoutMs: 1, compression: false },
        { compression: true, connection: { user: "a", pass: "b" }, connect: () => Promise.reject(new Error("not now")) },
        { compression: { thresholdBytes: 0 }, namespace: "é" },
        { servers: undefined, namespace: undefined, compression: undefined, defaultTtl: undefined },
      ] as (object | undefined)[];
      return Promise.all(good.map((options) => aids.refusalOf(() => new keystore.NASKeyStore(options).close())));
    }, namespace);
    expect(refusals).toEqual(Array.from({ length: 7 }, () => undefined));
  });

  test("operations refuse unknown, future and wrongly typed options by name and change nothing", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(
      async ([cases, later]) => {
        await store.store("k", 1);
        const version = async () => (await store.getMetadata("k"))?.version;
        const operations: Record<string, [call: (options: never) => unknown, wrong: Record<string, unknown[]>, later: object]> = {
          store: [(options) => store.store("k", 2, options), cases.store, later.store],
          update: [(options) => store.update("k", 2, options), cases.store, later.store],
          bulkStore: [(options) => store.bulkStore({ k: 2, other: 1 }, options), cases.store, later.bulkStore],
          retrieve: [(options) => store.retrieve("k", options), cases.retrieve, later.retrieve],
          bulkRetrieve: [(options) => store.bulkRetrieve(["k"], options), cases.retrieve, later.retrieve],
          delete: [(options) => store.delete("k", options), cases.delete, later.delete],
          listKeys: [(options) => store.listKeys("*", options), cases.listKeys, {}],
          flush: [(options) => store.flush(options), cases.flush, {}],
        };
        const wrong: string[] = [];
        for (const [name, [call, types, laters]] of Object.entries(operations)) {
          const expect = async (options: unknown, named: string): Promise<void> => {
            const refusal = await aids.refusalOf(() => call(options as never));
            const right = refusal?.code === "INVALID_OPTION" && refusal.isKeyStoreError && refusal.message.includes(named);
            if (!right) wrong.push(`${name}: ${named}: ${JSON.stringify(refusal)}`);
          };
          for (const [option, value] of Object.entries({ ...laters, nonsense: 1, toString: 1 })) {
            await expect({ [option]: value ?? (() => undefined) }, option);
          }
          for (const [option, values] of Object.entries(types)) {
            for (const value of values.map(aids.made)) await expect({ [option]: value }, option);
          }
          for (const options of [null, 1, "json", []]) await expect(options, "");
        }
        return { wrong, version: await version(), keys: await store.listKeys(), pending: await store.pendingWrites() };
      },
      [WRONG, UNSERVED] as const,
    );
    expect(seen).toEqual({ wrong: [], version: 1, keys: ["k"], pending: [] });
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("listKeys refuses a pattern that is not a string, and destroyNamespace refuses an invalid namespace", async ({
    page,
    openStore,
  }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      const code = async (work: () => unknown) => (await aids.refusalOf(work))?.code;
      return [
        await code(() => store.listKeys(1 as unknown as string)),
        await code(() => store.listKeys(/a/ as unknown as string)),
        await code(() => store.listKeys(null as unknown as string)),
        await code(() => keystore.destroyNamespace("")),
        await code(() => keystore.destroyNamespace("a b")),
        await code(() => keystore.destroyNamespace(undefined as unknown as string)),
      ];
    });
    expect(codes).toEqual(Array.from({ length: 6 }, () => "INVALID_OPTION"));
  });

  test("a store reads its options once, so that later changes have no effect", async ({ page, nats, namespace, wire }) => {
    const seen = await page.evaluate(
      async ([server, namespace]) => {
        const options = { servers: [server], namespace, cacheSize: 5, connection: { name: "kept" } as Record<string, unknown> };
        const own = new keystore.NASKeyStore(options);
        options.servers[0] = "ws://127.0.0.1:1";
        options.namespace = "other";
        options.cacheSize = 0;
        options.connection["user"] = "x";
        return {
          stored: await own.store("k", 1),
          maxSize: own.getCacheStats().maxSize,
          connectionOptions: Object.keys(options.connection),
        };
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual({ stored: true, maxSize: 5, connectionOptions: ["name", "user"] });
    expect((await wire.waitFor(1))[0]?.subject).toBe(`_kv.${namespace}.key.k`);
  });

  test("invalid arguments reject with a KeyStoreError and with no other error", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const calls: (() => unknown)[] = [
        () => store.store("", () => 1, { ttl: -1 }),
        () => store.store("k", 1n),
        () => store.store("k", 1, { ifVersion: 7 }),
        () => (store as unknown as { store(): unknown }).store(),
        () => (store as unknown as { retrieve(): unknown }).retrieve(),
        () => (store as unknown as { bulkStore(): unknown }).bulkStore(),
        () => (store as unknown as { bulkRetrieve(): unknown }).bulkRetrieve(),
        () => store.bulkRetrieve("keys"),
      ];
      return Promise.all(
        calls.map(async (call) => {
          let returned: unknown;
          const refusal = await aids.refusalOf(() => (returned = call()));
          const promised = returned instanceof Promise;
          return promised && refusal?.isError && refusal.isKeyStoreError && refusal.name === "KeyStoreError" && refusal.message.length > 10;
        }),
      );
    });
    expect(seen).toEqual(Array.from({ length: 8 }, () => true));
  });
});
