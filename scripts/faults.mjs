// Runs the fault suite: its quick form, or with `--long` (or FAULTS=long) the long one. Other arguments go to Playwright.
// A failing test prints its seed: FAULTS_SEED=<seed> runs it again with the same random numbers.
import { existsSync } from "node:fs";
import { root } from "./lib/root.mjs";
import { npm, run } from "./lib/run.mjs";

const { isLong, rest } = readArguments(process.argv.slice(2));
const built = existsSync(`${root}dist/index.js`) || (await npm(["run", "--silent", "build"])) === 0;
process.exitCode = built ? await runSuite() : 1;

function runSuite() {
  return run(process.execPath, ["node_modules/@playwright/test/cli.js", "test", "--config", "playwright.faults.config.ts", ...rest], {
    env: { FAULTS: isLong ? "long" : "quick" },
  });
}

/** @param {string[]} args */
function readArguments(args) {
  return {
    isLong: args.includes("--long") || process.env["FAULTS"] === "long",
    rest: args.filter((arg) => arg !== "--long"),
  };
}
