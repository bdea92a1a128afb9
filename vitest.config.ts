import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["src/**/*.test.ts", "api/**/*.test.ts", "contract/**/*.test.ts", "bench/**/*.test.ts", "scripts/**/*.test.mjs"],
    setupFiles: ["src/testing/setup.ts"],
    // No test may fail because the machine is slow.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "json"],
    outputFile: { json: "reports/unit.json" },
    // `npm run coverage` fails below these. The figures are percentages, a little under the measured ones.
    coverage: {
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts", "src/testing/**"],
      reporter: ["text-summary", "html"],
      reportsDirectory: "reports/coverage",
      thresholds: { lines: 98, statements: 97, branches: 96, functions: 96 },
    },
  },
});
