import { defineConfig } from "@playwright/test";
import { requireBrowser } from "./scripts/lib/browsers.mjs";

const executablePath = await requireBrowser("chromium");

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
