import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BrowserContext, Page } from "@playwright/test";
import { expect, openStoreIn, test } from "./support/fixtures.ts";

/** Opens the e2e page after a script has removed a part of the platform. */
async function pageWithout(context: BrowserContext, openPage: () => Promise<Page>, script: string): Promise<Page> {
  await context.addInitScript({ content: script });
  return openPage();
}

/**
 * An expression: a function that calls every operation of `store` that needs IndexedDB, and resolves to the error codes by name. It gets the module
 * `keystore` too.
 */
const CODES_OF_OPERATIONS = `async (store, keystore) => {
  const operations = {
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
    bulkDelete: () => store.bulkDelete(["k"]),
    deleteByTag: () => store.deleteByTag("t"),
    invalidate: () => store.invalidate({ tag: "t" }),
    touch: () => store.touch("k"),
    entries: () => store.entries()[Symbol.asyncIterator]().next(),
    export: () => store.export()[Symbol.asyncIterator]().next(),
    watch: () => store.watch("*")[Symbol.asyncIterator]().next(),
  };
  const codes = {};
  for (const [name, call] of Object.entries(operations)) {
    codes[name] = await call().then(
      () => "resolved",
      (error) => (error instanceof keystore.KeyStoreError ? error.code : String(error)),
    );
  }
  return codes;
}`;

function expectStorageUnavailable(codes: Record<string, string>): void {
  expect(Object.keys(codes).length).toBeGreaterThan(10);
  expect(codes).toEqual(Object.fromEntries(Object.keys(codes).map((operation) => [operation, "STORAGE_UNAVAILABLE"])));
}

test.describe("a page without IndexedDB", () => {
  const ways = {
    "when the page has no IndexedDB": `Object.defineProperty(globalThis, "indexedDB", { value: undefined });`,
    "when indexedDB.open throws": `IDBFactory.prototype.open = () => { throw new DOMException("Access is denied for this document.", "SecurityError"); };`,
    "when indexedDB.open fails": `
      const open = IDBFactory.prototype.open;
      IDBFactory.prototype.open = function (name) {
        const request = open.call(this, name, 1);
        Object.defineProperty(request, "onsuccess", { set() {} });
        Object.defineProperty(request, "onupgradeneeded", { set() {} });
        request.addEventListener("upgradeneeded", () => request.transaction.abort());
        return request;
      };`,
    "when access to indexedDB throws": `Object.defineProperty(globalThis, "indexedDB", { get() { throw new DOMException("The operation is insecure.", "SecurityError"); } });`,
  };
  for (const [when, script] of Object.entries(ways)) {
    test(`operations reject STORAGE_UNAVAILABLE and send nothing ${when}`, async ({ context, openPage, nats, namespace, wire }) => {
      const page = await pageWithout(context, openPage, script);
      await openStoreIn(page, { servers: nats.wsUrl, namespace });
      expectStorageUnavailable(await page.evaluate(`(${CODES_OF_OPERATIONS})(store, keystore)`));
      const refusal = await page.evaluate(() => aids.refusalOf(() => store.store("k", 1)));
      expect(refusal?.message).toMatch(/IndexedDB/);
      expect(await page.evaluate(() => store.ping())).toBe(true);
      expect(await page.evaluate(() => store.close().then(() => "closed"))).toBe("closed");
      expect(await wire.settled()).toEqual([]);
    });
  }

  test("a store works after a failed open when IndexedDB is available again", async ({ context, openPage, nats, namespace }) => {
    const page = await pageWithout(
      context,
      openPage,
      `globalThis.realOpen = IDBFactory.prototype.open; IDBFactory.prototype.open = () => { throw new DOMException("not now", "UnknownError"); };`,
    );
    await openStoreIn(page, { servers: nats.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const refusal = await aids.refusalOf(() => store.store("k", 1));
      IDBFactory.prototype.open = (globalThis as unknown as { realOpen: IDBFactory["open"] }).realOpen;
      return { refused: refusal?.code, stored: await store.store("k", 2), value: await store.retrieve("k") };
    });
    expect(seen).toEqual({ refused: "STORAGE_UNAVAILABLE", stored: true, value: 2 });
  });
});

test.describe("an insecure context", () => {
  test("writes reject INSECURE_CONTEXT with a remedy and store and send nothing in a page on plain http", async ({
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
    expect(await page.evaluate(() => ({ isSecureContext, subtle: (crypto as Partial<Crypto>).subtle }))).toEqual({
      isSecureContext: false,
      subtle: undefined,
    });

    await openStoreIn(page, { servers: nats.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const refusals = [
        await aids.refusalOf(() => store.store("k", 1)),
        await aids.refusalOf(() => store.update("k", 1)),
        await aids.refusalOf(() => store.bulkStore({ k: 1 })),
      ];
      return { refusals, keys: await store.listKeys(), pending: await store.pendingWrites() };
    });
    const refusal = { code: "INSECURE_CONTEXT", message: expect.stringMatching(/https|localhost/) };
    expect(seen).toMatchObject({ refusals: [refusal, refusal, refusal], keys: [], pending: [] });
    expect(await wire.settled()).toEqual([]);
  });
});

test.describe("Node", () => {
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

  test("the library can be imported and a store created in Node, and the process exits", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore({ namespace: "rendered", lingerMs: 60_000 });
      const isEventTarget = store instanceof EventTarget;
      console.log(JSON.stringify({ isEventTarget, cached: store.getCacheStats().size, exports: Object.keys(keystore).sort() }));
    `);
    expect(printed).toEqual({
      isEventTarget: true,
      cached: 0,
      exports: ["KeyFormat", "KeyStoreError", "NASKeyStore", "deriveKey", "destroyNamespace"],
    });
  });

  test("operations reject STORAGE_UNAVAILABLE in Node, and the process exits", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore();
      const destroyNamespace = await keystore.destroyNamespace("rendered").catch((error) => error.code);
      console.log(JSON.stringify({ ...(await (${CODES_OF_OPERATIONS})(store, keystore)), destroyNamespace }));
    `);
    expectStorageUnavailable(printed as Record<string, string>);
  });

  test("a store can be closed in Node", async () => {
    const printed = await run(`
      const store = new keystore.NASKeyStore();
      await store.close();
      console.log(JSON.stringify(await store.store("k", 1).catch((error) => error.code)));
    `);
    expect(printed).toBe("CLOSED");
  });
});
