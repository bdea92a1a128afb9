import { test as base, expect, type BrowserContext, type Page } from "@playwright/test";
import type { KeyStoreOptions } from "nas-keystore";
import type { ConnectionOptions } from "nats";
import { createConsoleGuard, type ConsoleGuard } from "./console-guard.ts";
import { openLink, type Link } from "./link.ts";
import { startNatsServer, type NatsServer, type NatsServerOptions } from "./nats-server.ts";
import { startPageServer, type PageServer } from "./page-server.ts";
import { openWire, type Wire } from "./wire.ts";

export { expect };

interface WorkerFixtures {
  /** A running server that the tests of a worker share. A test that stops or changes a server starts its own with `startNats`. */
  nats: NatsServer;
  site: PageServer;
}

interface TestFixtures {
  /** Unique for each run of each test. */
  namespace: string;
  /** A page on the e2e page, with the library as `globalThis.keystore`. */
  page: Page;
  /** Opens another such page in the same context. */
  openPage: () => Promise<Page>;
  /** A page of another browser: it shares no storage with the others. */
  openElsewhere: () => Promise<Page>;
  /** Makes a store in `page`, there called `store`, on `nats` and in `namespace` unless the options differ. */
  openStore: (options?: KeyStoreOptions) => Promise<void>;
  /** The messages that `nats` delivers. */
  wire: Wire;
  /** A server for this test alone. */
  startNats: (options?: NatsServerOptions) => Promise<NatsServer>;
  /** The messages that another server delivers, or that a given user may receive. */
  openWire: (server: NatsServer, options?: ConnectionOptions) => Promise<Wire>;
  /** A proxy in front of a server that a test can cut and mend. */
  openLink: (server: NatsServer) => Promise<Link>;
  consoleGuard: ConsoleGuard;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  nats: [
    async ({}, use) => {
      const server = await startNatsServer();
      await use(server);
      await server.dispose();
    },
    { scope: "worker" },
  ],

  site: [
    async ({}, use) => {
      const server = await startPageServer();
      await use(server);
      await server.stop();
    },
    { scope: "worker" },
  ],

  namespace: async ({}, use) => {
    await use(`e2e-${crypto.randomUUID()}`);
  },

  consoleGuard: [
    async ({ context }, use) => {
      const guard = createConsoleGuard();
      guard.watch(context);
      await use(guard);
      expect(guard.problems(), "the browser's console").toEqual([]);
    },
    { auto: true },
  ],

  // Depends on the guard, so that the guard listens before the page opens and checks after it closes, and on servers and links: a page may
  // connect at any time, and they must be there until it closes.
  openPage: async ({ context, site, consoleGuard: _guard, startNats: _servers, openLink: _links }, use) => {
    const pages: Page[] = [];
    await use(async () => {
      const page = await context.newPage();
      pages.push(page);
      return visit(page, site.url);
    });
    await Promise.all(pages.map((page) => page.close()));
  },

  openElsewhere: async ({ browser, site, consoleGuard, startNats: _servers, openLink: _links }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext();
      contexts.push(context);
      consoleGuard.watch(context);
      return visit(await context.newPage(), site.url);
    });
    await Promise.all(contexts.map((context) => context.close()));
  },

  page: async ({ openPage }, use) => {
    await use(await openPage());
  },

  openStore: async ({ page, nats, namespace }, use) => {
    await use((options) => openStoreIn(page, { servers: nats.wsUrl, namespace, ...options }));
  },

  startNats: async ({}, use) => {
    const servers: NatsServer[] = [];
    await use(async (options) => {
      const server = await startNatsServer(options);
      servers.push(server);
      return server;
    });
    await Promise.all(servers.map((server) => server.dispose()));
  },

  openWire: async ({}, use) => {
    const wires: Wire[] = [];
    await use(async (server, options) => {
      const wire = await openWire(server.tcpUrl, options);
      wires.push(wire);
      return wire;
    });
    await Promise.all(wires.map((wire) => wire.close()));
  },

  openLink: async ({}, use) => {
    const links: Link[] = [];
    await use(async (server) => {
      const link = await openLink(server.wsUrl);
      links.push(link);
      return link;
    });
    await Promise.all(links.map((link) => link.close()));
  },

  wire: async ({ openWire: open, nats }, use) => {
    await use(await open(nats));
  },
});

/** Opens a page of the e2e site in a tab. Resolves when its scripts have run. */
export async function visit(page: Page, url: string): Promise<Page> {
  await page.goto(url);
  await isReady(page);
  return page;
}

/** Reloads a page. */
export async function reload(page: Page): Promise<void> {
  await page.reload();
  await isReady(page);
}

/** Makes a store in a page, there called `store`. */
export async function openStoreIn(page: Page, options: KeyStoreOptions): Promise<void> {
  await page.evaluate((options) => aids.openStore(options), options);
}

function isReady(page: Page): Promise<void> {
  return page.locator("body[data-ready]").waitFor({ state: "attached" });
}
