import { defineConfig } from "@playwright/test";
import { engineProject, ignoredFiles, reportFile } from "./e2e/support/engine.ts";

/** The end-to-end suite, in Chromium, or in the engine that ENGINE names. */
export default defineConfig({
  testDir: "e2e",
  testIgnore: ["faults/**", "bundlers/**", ...ignoredFiles], // suites of their own: playwright.faults.config.ts, playwright.bundlers.config.ts
  globalSetup: "./e2e/support/build-page.ts",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  // No test may fail because the machine is slow.
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: [["list"], ["json", { outputFile: reportFile("e2e") }]],
  projects: [await engineProject()],
});
