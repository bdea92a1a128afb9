import { defineConfig } from "@playwright/test";
import { requireBrowser } from "./scripts/lib/browsers.mjs";
import base from "./playwright.config.ts";

/** The contract suite in three engines. `npm run contract` runs it, `npm run contract -- --project=webkit -g overwriting` a part of it. */
export default defineConfig(base, {
  testDir: "contract/browser",
  testIgnore: [],
  globalSetup: "./contract/browser/build.ts",
  outputDir: "test-results/contract",
  timeout: 60_000,
  reporter: [["list"], ["json", { outputFile: "reports/contract.json" }]],
  projects: [
    { name: "chromium", testMatch: "playwright.spec.ts" },
    {
      name: "firefox",
      testMatch: "playwright.spec.ts",
      use: {
        browserName: "firefox",
        channel: "moz-firefox",
        launchOptions: { executablePath: await requireBrowser("firefox") },
      },
    },
    { name: "webkit", testMatch: "webkit.spec.ts" },
  ],
});
