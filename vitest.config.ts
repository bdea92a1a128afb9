import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["src/**/*.test.ts", "scripts/**/*.test.mjs"],
    reporters: ["default", "json"],
    outputFile: { json: "reports/unit.json" },
    coverage: { include: ["src/**/*.ts"], exclude: ["src/**/*.test.ts", "src/testing/**"], reportsDirectory: "reports/coverage" },
  },
});
