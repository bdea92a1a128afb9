import { defineConfig } from "@playwright/test";
import { findBrowser, howToGetABrowser } from "./scripts/lib/browser.mjs";

const executablePath = await findBrowser();
if (executablePath === undefined) throw new Error(`No Chromium was found: ${howToGetABrowser}`);

export default defineConfig({
  testDir: "e2e",
  testIgnore: "faults/**", // a suite of its own: playwright.faults.config.ts
  globalSetup: "./e2e/support/build-page.ts",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  reporter: [["list"], ["json", { outputFile: "reports/e2e.json" }]],
  use: {
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox", // Chromium refuses to run as root with one
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
