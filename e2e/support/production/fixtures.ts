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

/** The policy of docs/PRODUCTION.md, with every local port in place of the server's. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "connect-src 'self' wss://127.0.0.1:*",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** The messages that another client receives. */
export interface Ear {
  /** Resolves to the subjects and data of all messages once there are `count`. */
  waitFor(count: number): Promise<{ subject: string; data: string; id: string }[]>;
  /** Resolves to all messages that the server read before this call. */
  settled(): Promise<{ subject: string; data: string; id: string }[]>;
}

interface WorkerFixtures {
  workFolder: string;
  certificates: Certificates;
  /** The site of the app. */
  app: Site;
  /** A site of another origin, with the same content. */
  stranger: Site;
}

interface TestFixtures {
  /** A page of the app. */
  page: Page;
  visit: (site: Site) => Promise<Page>;
  /** A server that allows only the app's origin. */
  start: (options: Omit<ProductionServerOptions, "certificates" | "origins">) => Promise<ProductionServer>;
  listen: (server: ProductionServer, subject: string, credentials: ConnectionOptions) => Promise<Ear>;
  /** All lines of the browser's console. */
  consoleLines: string[];
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  // This option of the context applies to WebSockets too.
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

  // Depends on the guard, so that the guard listens before the page opens and checks after it closes.
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
    // Otherwise their stores would connect to stopped servers, and Chromium would report errors on the console.
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
