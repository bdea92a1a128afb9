import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, firefox, type BrowserContext, type LaunchOptions } from "@playwright/test";
import playwrightConfig from "../../playwright.config.ts";
import { requireBrowser } from "../../scripts/lib/browsers.mjs";
import type { BenchPage, Browser } from "./browser.ts";

/** The system's browser. On the disk by default, as users have it: Playwright's usual contexts of Chromium keep IndexedDB in memory. */
export async function launchPlaywright(engine: "chromium" | "firefox", url: string, incognito: boolean): Promise<Browser> {
  const type = { chromium, firefox }[engine];
  const options = { executablePath: await requireBrowser(engine), ...OPTIONS[engine] };
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-bench-"));
  const browser = incognito ? await type.launch(options) : undefined;
  const context = (await browser?.newContext()) ?? (await type.launchPersistentContext(folder, options));
  return {
    version: (browser ?? context.browser())?.version() ?? "unknown",
    open: () => openPage(context, url),
    close: async () => {
      await context.close();
      await browser?.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const OPTIONS = {
  chromium: { args: [...(playwrightConfig.use?.launchOptions?.args ?? []), "--js-flags=--expose-gc"] },
  firefox: {
    channel: "moz-firefox", // Debian's Firefox, not Playwright's build of it
    firefoxUserPrefs: {
      "privacy.reduceTimerPrecision": false,
      "privacy.reduceTimerPrecision.unconditional": false,
      "dom.testing.testutils.enabled": true, // TestUtils.gc()
      // As Playwright starts Chromium: a page in the background (row "blocked") is not slowed down.
      "dom.min_background_timeout_value": 4,
      "dom.timeout.enable_budget_timer_throttling": false,
    },
  },
} satisfies Record<string, LaunchOptions>;

async function openPage(context: BrowserContext, url: string): Promise<BenchPage> {
  const page = await context.newPage();
  // Not its errors: Chromium has some to say of how NATS KV's client closes its sockets.
  page.on("console", (message) => void (message.type() === "info" && console.log(`  ${message.text()}`)));
  await page.goto(url);
  await page.locator("body[data-ready]").waitFor({ state: "attached" });
  return {
    evaluate: <Result, Argument>(work: (argument: Argument) => Result | Promise<Result>, argument?: Argument) =>
      page.evaluate(work as (argument: unknown) => unknown, argument) as Promise<Result>,
    devTools: () => context.newCDPSession(page),
    close: () => page.close(),
  };
}
