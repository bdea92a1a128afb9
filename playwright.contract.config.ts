import { defineConfig } from "@playwright/test";
import { engineProject } from "./e2e/support/engine.ts";

/** The contract suite in three engines. `npm run contract -- --project=webkit -g overwriting` runs a part of it. */
export default defineConfig({
  testDir: "contract/browser",
  globalSetup: "./contract/browser/build.ts",
  outputDir: "test-results/contract",
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  reporter: [["list"], ["json", { outputFile: "reports/contract.json" }]],
  projects: [
    { ...(await engineProject("chromium")), testMatch: "playwright.spec.ts" },
    { ...(await engineProject("firefox")), testMatch: "playwright.spec.ts" },
    { name: "webkit", testMatch: "webkit.spec.ts" },
  ],
});
