import { defineConfig } from "@playwright/test";
import { engineProject } from "./e2e/support/engine.ts";

/** The packed library in an app of each bundler. `npm run test:bundlers` runs it. */
export default defineConfig({
  testDir: "e2e/bundlers",
  outputDir: "test-results/bundlers",
  workers: 1, // all tests share one installed app
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: [["list"], ["json", { outputFile: "reports/bundlers.json" }]],
  projects: [await engineProject("chromium")],
});
