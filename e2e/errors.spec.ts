import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BrowserContext, Page } from "@playwright/test";
import { expect, openStoreIn, test } from "./support/fixtures.ts";

/** In api.d.ts, and not working yet: they must not be taken and ignored. */
const LATER = {
  constructor: { encryption: { key: {} }, schemas: {}, migrate: null, durable: true },
  store: { persistent: false, ifRevision: 1 },
  bulkStore: { persistent: false, ifRevision: 1 },
  retrieve: { pull: "missing" },
  delete: { ifRevision: 1 },
};

/** What cannot be handed to a page as itself is named, and made there. */
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
  test("that the constructor does not know, or not yet, are refused by name", async ({ page, nats, namespace }) => {
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
      [{ servers: nats.wsUrl, namespace }, LATER.constructor] as const,
    );
    expect(wrong).toEqual([]);
  });

  test("of a wrong type are refused by the constructor, by name", async ({ page, nats, namespace }) => {
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

  test("that are good are taken, and undefined counts as not given", async ({ page, namespace }) => {
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

  test("of operations are refused by name when they are unknown, not there yet, or of a wrong type, and nothing is changed or sent", async ({
    page,
    openStore,
    wire,
  }) => {
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
        return [wrong, await version(), await store.listKeys(), await store.pendingWrites()];
      },
      [WRONG, LATER] as const,
    );
    expect(seen).toEqual([[], 1, ["k"], []]);
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("a pattern that is no string, or a namespace to destroy that is none, is refused", async ({ page, openStore }) => {
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

  test("are read once: changing them afterwards changes nothing", async ({ page, nats, namespace, wire }) => {
    const seen = await page.evaluate(
      async ([server, namespace]) => {
        const options = { servers: [server], namespace, cacheSize: 5, connection: { name: "kept" } as Record<string, unknown> };
        const own = new keystore.NASKeyStore(options);
        options.servers[0] = "ws://127.0.0.1:1";
        options.namespace = "other";
        options.cacheSize = 0;
        options.connection["user"] = "x";
        return [await own.store("k", 1), own.getCacheStats().maxSize, Object.keys(options.connection)];
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual([true, 5, ["name", "user"]]);
    expect((await wire.waitFor(1))[0]?.subject).toBe(`_kv.${namespace}.key.k`);
  });

  test("are refused with a bad key, a bad value or both: never is anything but a KeyStoreError seen", async ({ page, openStore }) => {
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

/** Opens the e2e page where something of the platform was taken away before any script ran. */
async function pageWithout(context: BrowserContext, openPage: () => Promise<Page>, script: string): Promise<Page> {
  await context.addInitScript({ content: script });
  return openPage();
}

/** The codes of every operation that needs what is missing. */
function codesOfOperations(page: Page): Promise<Record<string, string | undefined>> {
  return page.evaluate(async () => {
    const operations: Record<string, () => unknown> = {
      store: () => store.store("k", 1),
      update: () => store.update("k", 1),
      delete: () => store.delete("k"),
      bulkStore: () => store.bulkStore({ k: 1 }),
      retrieve: () => store.retrieve("k"),
      exists: () => store.exists("k"),
      bulkRetrieve: () => store.bulkRetrieve(["k"]),
      getMetadata: () => store.getMetadata("k"),
      listKeys: () => store.listKeys(),
      clearCache: () => store.clearCache(),
      sweep: () => store.sweep(),
      flush: () => store.flush(),
      pendingWrites: () => store.pendingWrites(),
      getStorageStats: () => store.getStorageStats(),
    };
    const codes: Record<string, string | undefined> = {};
    for (const [name, work] of Object.entries(operations)) {
      const refusal = await aids.refusalOf(work);
      codes[name] = refusal?.isKeyStoreError ? refusal.code : JSON.stringify(refusal);
    }
    return codes;
  });
}

test.describe("a page without IndexedDB", () => {
  const ways = {
    "that has none": `Object.defineProperty(globalThis, "indexedDB", { value: undefined });`,
    "whose open throws": `IDBFactory.prototype.open = () => { throw new DOMException("Access is denied for this document.", "SecurityError"); };`,
    "whose open fails": `
      const open = IDBFactory.prototype.open;
      IDBFactory.prototype.open = function (name) {
        const request = open.call(this, name, 1);
        Object.defineProperty(request, "onsuccess", { set() {} });
        Object.defineProperty(request, "onupgradeneeded", { set() {} });
        request.addEventListener("upgradeneeded", () => request.transaction.abort());
        return request;
      };`,
    "whose access throws": `Object.defineProperty(globalThis, "indexedDB", { get() { throw new DOMException("The operation is insecure.", "SecurityError"); } });`,
  };
  for (const [name, script] of Object.entries(ways)) {
    test(`${name} rejects STORAGE_UNAVAILABLE, and sends nothing`, async ({ context, openPage, nats, namespace, wire }) => {
      const page = await pageWithout(context, openPage, script);
      await openStoreIn(page, { servers: nats.wsUrl, namespace });
      const codes = await codesOfOperations(page);
      expect(codes).toEqual(Object.fromEntries(Object.keys(codes).map((operation) => [operation, "STORAGE_UNAVAILABLE"])));
      const refusal = await page.evaluate(() => aids.refusalOf(() => store.store("k", 1)));
      expect(refusal?.message).toMatch(/IndexedDB/);
      expect(await page.evaluate(() => store.ping())).toBe(true);
      expect(await page.evaluate(() => store.close().then(() => "closed"))).toBe("closed");
      expect(await wire.settled()).toEqual([]);
    });
  }

  test("once more works when IndexedDB is back: a failed open is not kept", async ({ context, openPage, nats, namespace }) => {
    const page = await pageWithout(
      context,
      openPage,
      `globalThis.realOpen = IDBFactory.prototype.open; IDBFactory.prototype.open = () => { throw new DOMException("not now", "UnknownError"); };`,
    );
    await openStoreIn(page, { servers: nats.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const refusal = await aids.refusalOf(() => store.store("k", 1));
      IDBFactory.prototype.open = (globalThis as unknown as { realOpen: IDBFactory["open"] }).realOpen;
      return [refusal?.code, await store.store("k", 2), await store.retrieve("k")];
    });
    expect(seen).toEqual(["STORAGE_UNAVAILABLE", true, 2]);
  });
});

test.describe("a page on plain http", () => {
  test("rejects INSECURE_CONTEXT, says how to fix it, and stores and sends nothing", async ({
    playwright,
    browserName,
    launchOptions,
    nats,
    site,
    namespace,
    wire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets(); // the browser lets no such page connect to loopback
    // The page's host name is not a loopback name, so the page is no secure context.
    await using browser = await playwright[browserName].launch({
      ...launchOptions,
      ...(browserName === "chromium"
        ? { args: [...(launchOptions.args ?? []), "--host-resolver-rules=MAP intranet.example 127.0.0.1"] }
        : { firefoxUserPrefs: { "network.dns.localDomains": "intranet.example" } }),
    });
    const context = await browser.newContext();
    consoleGuard.watch(context);
    const page = await context.newPage();
    await page.goto(site.url.replace("127.0.0.1", "intranet.example"));
    await page.locator("body[data-ready]").waitFor({ state: "attached" });
    expect(await page.evaluate(() => [isSecureContext, (crypto as Partial<Crypto>).subtle === undefined])).toEqual([false, true]);

    await openStoreIn(page, { servers: nats.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const refusals = [
        await aids.refusalOf(() => store.store("k", 1)),
        await aids.refusalOf(() => store.update("k", 1)),
        await aids.refusalOf(() => store.bulkStore({ k: 1 })),
      ];
      return [
        refusals.map((refusal) => [refusal?.code, /https|localhost/.test(refusal?.message ?? "")]),
        await store.listKeys(),
        await store.pendingWrites(),
      ];
    });
    expect(seen).toEqual([Array.from({ length: 3 }, () => ["INSECURE_CONTEXT", true]), [], []]);
    expect(await wire.settled()).toEqual([]);
  });
});

test.describe("outside a browser", () => {
  const library = fileURLToPath(new URL("../dist/index.js", import.meta.url));
  const run = async (script: string): Promise<unknown> => {
    expect(existsSync(library)).toBe(true);
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", `import * as keystore from ${JSON.stringify(`file://${library}`)};\n${script}`],
      { timeout: 120_000 },
    );
    expect(stderr).toBe("");
    return JSON.parse(stdout) as unknown;
  };

  test("importing and constructing throws nothing, and the process ends by itself", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore({ namespace: "rendered", lingerMs: 60_000 });
      console.log(JSON.stringify([store instanceof EventTarget, store.getCacheStats().size, Object.keys(keystore).sort()]));
    `);
    expect(printed).toEqual([true, 0, ["KeyFormat", "KeyStoreError", "NASKeyStore", "destroyNamespace"]]);
  });

  test("operations reject STORAGE_UNAVAILABLE, and the process ends by itself", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore();
      const operations = {
        store: () => store.store("k", 1),
        delete: () => store.delete("k"),
        update: () => store.update("k", 1),
        bulkStore: () => store.bulkStore({ k: 1 }),
        retrieve: () => store.retrieve("k"),
        exists: () => store.exists("k"),
        bulkRetrieve: () => store.bulkRetrieve(["k"]),
        getMetadata: () => store.getMetadata("k"),
        listKeys: () => store.listKeys(),
        clearCache: () => store.clearCache(),
        sweep: () => store.sweep(),
        flush: () => store.flush(),
        pendingWrites: () => store.pendingWrites(),
        getStorageStats: () => store.getStorageStats(),
        destroyNamespace: () => keystore.destroyNamespace("rendered"),
      };
      const codes = [];
      for (const [name, work] of Object.entries(operations)) {
        const code = await work().then(() => "done", (error) => error instanceof keystore.KeyStoreError ? error.code : String(error));
        if (code !== "STORAGE_UNAVAILABLE") codes.push(name + ": " + code);
      }
      console.log(JSON.stringify(codes));
    `);
    expect(printed).toEqual([]);
  });

  test("a store can be closed", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore();
      await store.close();
      console.log(JSON.stringify(await store.store("k", 1).catch((error) => error.code)));
    `);
    expect(printed).toBe("CLOSED");
  });
});
