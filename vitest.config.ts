import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["src/**/*.test.ts", "contract/**/*.test.ts", "scripts/**/*.test.mjs"],
    setupFiles: ["src/testing/setup.ts"],
    // No test may fail because the machine is slow.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "json"],
    outputFile: { json: "reports/unit.json" },
    coverage: { include: ["src/**/*.ts"], exclude: ["src/**/*.test.ts", "src/testing/**"], reportsDirectory: "reports/coverage" },
  },
});
