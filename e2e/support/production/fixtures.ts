import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { connect, type ConnectionOptions } from "nats";
import { withDeadline } from "../deadline.ts";
import { test as base } from "../fixtures.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { startProductionServer, type ProductionServer, type ProductionServerOptions } from "./server.ts";
import { buildSite, startSite, type Site } from "./site.ts";

export { expect } from "../fixtures.ts";

const pageRoot = fileURLToPath(new URL("page", import.meta.url));

/** What docs/PRODUCTION.md tells apps to send, with any port of this machine in place of the one server. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "connect-src 'self' wss://127.0.0.1:*",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** What comes to another client that may hear the writes. */
export interface Ear {
  /** Subjects and data of what came, once there are so many. */
  waitFor(count: number): Promise<{ subject: string; data: string; id: string }[]>;
  /** Everything that came of what the server had read before this call. */
  settled(): Promise<{ subject: string; data: string; id: string }[]>;
}

interface WorkerFixtures {
  workFolder: string;
  certificates: Certificates;
  /** The app's own pages. */
  app: Site;
  /** Pages of somebody else, with the same content. */
  stranger: Site;
}

interface TestFixtures {
  /** On a page of the app. */
  page: Page;
  visit: (site: Site) => Promise<Page>;
  /** Lets the app's origin in, and nobody else's. */
  start: (options: Omit<ProductionServerOptions, "certificates" | "origins">) => Promise<ProductionServer>;
  listen: (server: ProductionServer, subject: string, credentials: ConnectionOptions) => Promise<Ear>;
  /** Every line on the browser's console, of every kind. */
  consoleLines: string[];
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  // Playwright's context option: certificates of WebSockets are covered too.
  ignoreHTTPSErrors: true,

  workFolder: [
    async ({}, use) => {
      const folder = await mkdtemp(join(tmpdir(), "nas-keystore-tls-"));
      await use(folder);
      await rm(folder, { recursive: true, force: true });
    },
    { scope: "worker" },
  ],

  certificates: [async ({ workFolder }, use) => use(await makeCertificates(workFolder)), { scope: "worker" }],

  app: [
    async ({ workFolder, certificates }, use) => {
      const folder = join(workFolder, "page");
      await buildSite(pageRoot, folder);
      const site = await startSite({ folder, certificates, headers: { "Content-Security-Policy": CONTENT_SECURITY_POLICY } });
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],

  stranger: [
    async ({ workFolder, certificates, app: _built }, use) => {
      const site = await startSite({ folder: join(workFolder, "page"), certificates });
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],

  consoleLines: [
    async ({ context }, use) => {
      const lines: string[] = [];
      context.on("console", (message) => lines.push(message.text()));
      await use(lines);
    },
    { auto: true },
  ],

  // Depends on the guard so that the guard listens first, and looks last.
  visit: async ({ context, consoleGuard: _guard }, use) => {
    await use(async (site) => {
      const page = await context.newPage();
      await page.goto(site.origin);
      await page.locator("body[data-ready]").waitFor({ state: "attached" });
      return page;
    });
  },

  page: async ({ visit, app }, use) => {
    await use(await visit(app));
  },

  start: async ({ context, certificates, app }, use) => {
    const servers: ProductionServer[] = [];
    await use(async (options) => {
      const server = await startProductionServer({ ...options, certificates, origins: [app.origin] });
      servers.push(server);
      return server;
    });
    // Or their stores would try to reach servers that are gone, and Chromium would say so on the console.
    await Promise.all(context.pages().map((page) => page.close()));
    await Promise.all(servers.map((server) => server.dispose()));
  },

  listen: async ({ certificates }, use) => {
    const closing: (() => Promise<void>)[] = [];
    await use(async (server, subject, credentials) => {
      const connection = await connect({ servers: server.tcpUrl, tls: { ca: certificates.ca }, reconnect: false, ...credentials });
      closing.push(() => connection.close());
      const heard: { subject: string; data: string; id: string }[] = [];
      const arrivals = new EventTarget();
      connection.subscribe(subject, {
        callback: (error, { subject, data, headers }) => {
          if (error) throw error;
          heard.push({ subject, data: new TextDecoder().decode(data), id: headers?.get("Nats-Msg-Id") ?? "" });
          arrivals.dispatchEvent(new Event("arrival"));
        },
      });
      await connection.flush();
      const arrived = async (count: number): Promise<void> => {
        while (heard.length < count) {
          await new Promise((resolve) => arrivals.addEventListener("arrival", resolve, { once: true }));
        }
      };
      return {
        waitFor: async (count) => {
          await withDeadline(arrived(count), () => `${heard.length} of ${count} messages came: ${JSON.stringify(heard)}`);
          return heard;
        },
        settled: async () => {
          await connection.flush();
          return heard;
        },
      };
    });
    await Promise.all(closing.map((close) => close()));
  },
});
