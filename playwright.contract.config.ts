import { defineConfig } from "@playwright/test";
import { engineProject, wantedProjects } from "./e2e/support/engine.ts";

/** The contract suite in three engines. `npm run contract -- --project=webkit -g overwriting` runs a part of it. */
export default defineConfig({
  testDir: "contract/browser",
  globalSetup: "./contract/browser/build.ts",
  outputDir: "test-results/contract",
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  reporter: [["list"], ["json", { outputFile: "reports/contract.json" }]],
  projects: await wantedProjects(["chromium", "firefox", "webkit"], async (engine) =>
    engine === "webkit"
      ? { name: engine, testMatch: "webkit.spec.ts" }
      : { ...(await engineProject(engine)), testMatch: "playwright.spec.ts" },
  ),
});
