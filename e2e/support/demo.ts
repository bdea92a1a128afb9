import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "@playwright/test";
import axe, { type AxeResults } from "axe-core";
import { test as base } from "./fixtures.ts";
import { buildSite, startSite, type Site } from "./production/site.ts";

const root = fileURLToPath(new URL("../../demo", import.meta.url));
const config = fileURLToPath(new URL("../../vite.config.ts", import.meta.url));

interface DemoFixtures {
  /** Opens the demo in a new tab: of the test's context, or of another browser's. `durable` is durable mode. */
  openDemo: (settings?: { server?: string; namespace?: string; durable?: "" }, browser?: BrowserContext) => Promise<Page>;
  /** A context that shares nothing with the test's, as that of another browser. */
  otherBrowser: BrowserContext;
}

export const test = base.extend<DemoFixtures, { demo: Site }>({
  demo: [
    async ({}, use) => {
      const folder = await mkdtemp(join(tmpdir(), "nas-keystore-demo-"));
      await buildSite(root, folder, config);
      const site = await startSite({ folder });
      await use(site);
      await site.stop();
      await rm(folder, { recursive: true, force: true });
    },
    { scope: "worker" },
  ],

  // `context`, not `page`: the fixture of that name is on another page.
  openDemo: async ({ context, demo, nats, namespace, consoleGuard: _guard, startNats: _servers, openLink: _links }, use) => {
    const pages: Page[] = [];
    await use(async (settings, browser = context) => {
      const page = await browser.newPage();
      pages.push(page);
      await page.goto(`${demo.origin}/?${new URLSearchParams({ server: nats.wsUrl, namespace, ...settings })}`);
      return page;
    });
    await Promise.all(pages.map((page) => page.close()));
  },

  otherBrowser: async ({ browser, consoleGuard }, use) => {
    const context = await browser.newContext();
    consoleGuard.watch(context);
    await use(context);
    await context.close();
  },
});

/** What axe finds in the page. */
export async function violationsIn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<AxeResults> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}

/** Stores a number under a key with the form. */
export async function storeOne(page: Page, key: string): Promise<void> {
  await page.locator("#key").fill(key);
  await page.locator("#value").fill("1");
  await page.getByRole("button", { name: "Store", exact: true }).click();
}
