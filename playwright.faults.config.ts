import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";
import { ignoredFiles, reportFile } from "./e2e/support/engine.ts";
import { isLong } from "./e2e/support/fault-run.ts";

/** Faults injected from outside: servers and browsers killed, connections cut. `npm run test:faults` runs it. */
export default defineConfig(base, {
  testDir: "e2e/faults",
  testIgnore: ignoredFiles,
  outputDir: "test-results/faults",
  // Most of a test is one loop over many faults.
  timeout: isLong ? 60 * 60_000 : 600_000,
  reporter: [["list"], ["json", { outputFile: reportFile("faults") }]],
});
