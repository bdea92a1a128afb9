import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "@playwright/test";
import { requireBrowser } from "../scripts/lib/browsers.mjs";
import playwrightConfig from "../playwright.config.ts";

export interface Surroundings {
  readonly context: BrowserContext;
  readonly version: string;
  /** A page that is ready to measure. */
  open(): Promise<Page>;
  close(): Promise<void>;
}

/** The system's Chromium as the tests run it. On the disk by default, as users have it: Playwright's usual contexts keep IndexedDB in memory. */
export async function launch(url: string, incognito: boolean): Promise<Surroundings> {
  const executablePath = await requireBrowser("chromium");
  const options = { executablePath, args: [...(playwrightConfig.use?.launchOptions?.args ?? []), "--js-flags=--expose-gc"] };
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-bench-"));
  const browser = incognito ? await chromium.launch(options) : undefined;
  const context = (await browser?.newContext()) ?? (await chromium.launchPersistentContext(folder, options));
  return {
    context,
    version: (browser ?? context.browser())?.version() ?? "unknown",
    open: async () => {
      const page = await context.newPage();
      // Not its errors: Chromium has some to say of how NATS KV's client closes its sockets.
      page.on("console", (message) => void (message.type() === "info" && console.log(`  ${message.text()}`)));
      await page.goto(url);
      await page.locator("body[data-ready]").waitFor({ state: "attached" });
      return page;
    },
    close: async () => {
      await context.close();
      await browser?.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
