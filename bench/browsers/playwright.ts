import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, firefox, type BrowserContext, type LaunchOptions } from "@playwright/test";
import { engineProject, type PlaywrightEngine } from "../../e2e/support/engine.ts";
import type { BenchPage, Browser } from "./browser.ts";

/** The machine's browser, started as tests do. By default with a profile on the disk, as users have it: Playwright's usual contexts of Chromium keep IndexedDB in memory. */
export async function launchPlaywright(engine: PlaywrightEngine, url: string, incognito: boolean): Promise<Browser> {
  const type = { chromium, firefox }[engine];
  const options = await launchOptions(engine);
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

async function launchOptions(engine: PlaywrightEngine): Promise<LaunchOptions> {
  const options = (await engineProject(engine)).use?.launchOptions ?? {};
  return engine === "chromium"
    ? { ...options, args: [...(options.args ?? []), "--js-flags=--expose-gc"] }
    : { ...options, firefoxUserPrefs: FIREFOX_PREFERENCES };
}

const FIREFOX_PREFERENCES = {
  "privacy.reduceTimerPrecision": false,
  "privacy.reduceTimerPrecision.unconditional": false,
  "dom.testing.testutils.enabled": true, // TestUtils.gc()
  // Does not slow down a page in the background (row "blocked"). Playwright starts Chromium like that, too.
  "dom.min_background_timeout_value": 4,
  "dom.timeout.enable_budget_timer_throttling": false,
};

async function openPage(context: BrowserContext, url: string): Promise<BenchPage> {
  const page = await context.newPage();
  // Not errors: Chromium reports some about how NATS KV's client closes its sockets.
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
