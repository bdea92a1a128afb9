// Prints how many tests of the last run passed and failed. Fails if a test failed or none ran.
import { existsSync, readFileSync } from "node:fs";
import { playwrightCounts, vitestCounts } from "./lib/report-counts.mjs";
import { root } from "./lib/root.mjs";

const counts = [
  counted("unit", vitestCounts),
  ...["bundlers", "contract", "e2e", "e2e-firefox", "faults", "faults-firefox"].map((name) => counted(name, playwrightCounts)),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);

console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;

/**
 * @template Report
 * @param {string} name
 * @param {(report: Report) => import("./lib/report-counts.mjs").Counts} count
 */
function counted(name, count) {
  const path = `${root}reports/${name}.json`;
  return existsSync(path) ? count(JSON.parse(readFileSync(path, "utf8"))) : { passed: 0, failed: 0 };
}
