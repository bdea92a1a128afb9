import { readdir, readFile, rm } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { expect, test as base } from "../support/fixtures.ts";
import { startSite, type Site } from "../support/production/site.ts";
import { BUNDLERS, buildApp, checkTypes, makeApp } from "./app.ts";

/** What app/main.js gives to the tests. */
interface AppWindow {
  readonly nas: typeof import("nas-keystore");
  readonly importEager: () => Promise<typeof import("nas-keystore/eager")>;
}

interface Fixtures {
  /** Opens a page of a folder, on a server of its own. */
  open: (folder: string, path?: string) => Promise<Page>;
}

const test = base.extend<Fixtures, { app: string }>({
  app: [
    async ({}, use) => {
      const app = await makeApp();
      await use(app);
      await rm(app, { recursive: true });
    },
    { scope: "worker", timeout: 300_000 },
  ],

  open: async ({ context, consoleGuard: _guard }, use) => {
    const sites: Site[] = [];
    await use(async (folder, path = "") => {
      const site = await startSite({ folder });
      sites.push(site);
      const page = await context.newPage();
      await page.goto(`${site.origin}/${path}`);
      await page.locator("body[data-ready]").waitFor({ state: "attached" });
      return page;
    });
    await Promise.all(sites.map((site) => site.stop()));
  },
});

/** What a bundler prints when something is not right, although it builds. */
const COMPLAINT = /warn|error|externalized|unresolved|\(!\)|⚠/i;

test("the library installs no other package", async ({ app }) => {
  expect((await readdir(`${app}/node_modules`)).filter((name) => !name.startsWith("."))).toEqual(["nas-keystore"]);
});

test("the declarations compile in an app without the packages of the library", async ({ app }) => {
  await checkTypes(app);
});

for (const bundler of BUNDLERS) {
  test(`${bundler} builds an app without a configuration, and its stores publish`, async ({ app, open, nats, namespace, wire }) => {
    const manifest = await readFile(`${app}/package.json`, "utf8");
    const { folder, printed } = await buildApp(app, bundler);
    expect(printed).not.toMatch(COMPLAINT);
    expect(await readFile(`${app}/package.json`, "utf8"), "the app's packages").toBe(manifest);

    expect(await useStores(await open(folder), nats.wsUrl, namespace)).toEqual(USED);
    expect((await wire.waitFor(PUBLISHED.length)).map(({ envelope }) => envelope?.key)).toEqual(PUBLISHED);
  });
}

test("the stores of a page without a bundler publish, with an import map of two lines", async ({ app, open, nats, namespace, wire }) => {
  expect(await useStores(await open(app, "import-map.html"), nats.wsUrl, namespace)).toEqual(USED);
  expect((await wire.waitFor(PUBLISHED.length)).map(({ envelope }) => envelope?.key)).toEqual(PUBLISHED);
});

/** The keys that `useStores` publishes. */
const PUBLISHED = ["json", "structured", "secret", "eager"];

/** What `useStores` resolves to. */
const USED = { published: [true, true, true], read: [2_000, 1n, "loaded", "eager"], exported: PUBLISHED.toSorted(), globals: [] };

/** Uses every part of the library that loads lazily, and `nas-keystore/eager`. */
function useStores(page: Page, servers: string, namespace: string): Promise<unknown> {
  return page.evaluate(
    async ([servers, namespace]) => {
      const { nas, importEager } = globalThis as unknown as AppWindow;
      const options = { servers, namespace, timeoutMs: 60_000 };
      const store = new nas.NASKeyStore({ ...options, compression: true });
      const published = [
        await store.store("json", "x".repeat(2_000)),
        await store.store("structured", new Map([["key", 1n]]), { format: "structured" }),
      ];
      const encryption = { key: await nas.deriveKey("passphrase", "salt", { iterations: 1 }) };
      const schemas = { "*": { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } } as const;
      const checked = new nas.NASKeyStore({ ...options, encryption, schemas });
      await checked.retrieveOrStore("secret", () => "loaded");
      const eager = new (await importEager()).NASKeyStore(options);
      published.push(await eager.store("eager", "eager"));

      const fromDatabase = { useCache: false };
      const read = [
        (await store.retrieve<string>("json", fromDatabase))?.length,
        (await store.retrieve<Map<string, bigint>>("structured", fromDatabase))?.get("key"),
        await checked.retrieve("secret", fromDatabase),
        await store.retrieve("eager", fromDatabase),
      ];
      const exported: string[] = [];
      for await (const envelope of store.export()) exported.push((envelope as { key: string }).key);
      await Promise.all([store, checked, eager].map((one) => one.close()));
      // Polyfills of Node, and what nats.ws sets.
      return { published, read, exported, globals: ["Buffer", "process", "nacl"].filter((name) => name in globalThis) };
    },
    [servers, namespace] as const,
  );
}
