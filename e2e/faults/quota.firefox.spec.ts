import type { Page } from "@playwright/test";
import { test as base, visit } from "../support/faults.ts";
import { quotaTests } from "../support/quota.ts";

/** About a twentieth of the quota: Firefox gives a site at least 10 MiB, even if the limit for all sites is lower. */
const PAYLOAD = 500_000;

const test = base.extend<{ page: Page }>({
  /** A page in a Firefox with a small quota. */
  page: async ({ playwright, launchOptions, site, consoleGuard }, use) => {
    await using browser = await playwright.firefox.launch({
      ...launchOptions,
      firefoxUserPrefs: { "dom.quotaManager.temporaryStorage.fixedLimit": 12_000 }, // KiB, for all sites
    });
    const context = await browser.newContext();
    consoleGuard.watch(context);
    await use(await visit(await context.newPage(), site.url));
    await context.close();
  },
});

quotaTests(test, PAYLOAD);
