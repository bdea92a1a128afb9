import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { expect, test as base } from "./support/fixtures.ts";
import { buildSite, startSite, type Site } from "./support/production/site.ts";

const root = fileURLToPath(new URL("../demo", import.meta.url));
const config = fileURLToPath(new URL("../vite.config.ts", import.meta.url));

const test = base.extend<{ openDemo: (settings?: { server?: string; namespace?: string }) => Promise<Page> }, { demo: Site }>({
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
  openDemo: async ({ context, demo, nats, namespace }, use) => {
    await use(async (settings) => {
      const page = await context.newPage();
      await page.goto(`${demo.origin}/?${new URLSearchParams({ server: nats.wsUrl, namespace, ...settings })}`);
      return page;
    });
  },
});

test.describe("what the demo says", () => {
  test("of all fields that are wrong", async ({ openDemo }) => {
    const page = await openDemo();
    await page.getByRole("button", { name: "Store", exact: true }).click();
    await expect(page.locator("#write-notice")).toContainText("The key is empty. The value is empty.");
    await expect(page.locator("#write [aria-invalid]")).toHaveCount(2);
    await page.locator("#key").fill("a");
    await expect(page.locator("#write [aria-invalid]")).toHaveCount(0);
  });
});

test("the demo wraps no line of a dump on a narrow screen", async ({ openDemo }) => {
  const page = await openDemo();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.locator("#source").selectOption("utf8");
  await page.locator("#key").fill("a");
  await page.locator("#value").fill("eight by"); // one line
  await page.getByRole("button", { name: "Store", exact: true }).click();
  const value = page.locator("#details-value");
  await expect(value).toContainText("eight by");
  const lines = await value.evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set(Array.from(range.getClientRects(), ({ top }) => top)).size;
  });
  expect(lines).toBe(1);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});
