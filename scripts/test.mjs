// Every gate, the quick ones first; the first that fails ends the run. `--all` adds the end-to-end and fault suites in Firefox.
import { npm } from "./lib/run.mjs";
import { setUp } from "./setup.mjs";

const steps = ["format:check", "types", "lint", "unit", "build", "size", "contract", "e2e", "test:faults"];

heading("setup");
if (await setUp()) process.exitCode = await runSteps();
else {
  console.error("\nNot everything is there, so no test was run. The steps run by themselves, too: npm run unit, npm run e2e …");
  process.exitCode = 1;
}

async function runSteps() {
  const firefoxSteps = process.argv.includes("--all") ? ["e2e", "test:faults"] : [];
  return (await runAll(steps, "chromium")) || runAll(firefoxSteps, "firefox");
}

/**
 * @param {readonly string[]} names
 * @param {string} engine the one that the end-to-end and fault suites run in
 */
async function runAll(names, engine) {
  for (const name of names) {
    const title = engine === "chromium" ? name : `${name} in ${engine}`;
    heading(title);
    const code = await npm(["run", "--silent", name], { group: true, env: { ENGINE: engine } });
    if (code === 0) continue;
    console.error(`\n${title} failed`);
    return code;
  }
  return 0;
}

/** @param {string} name */
function heading(name) {
  console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
}
