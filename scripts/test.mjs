// Every gate, the quick ones first; the first that fails ends the run.
import { npm } from "./lib/run.mjs";
import { setUp } from "./setup.mjs";

const steps = ["types", "lint", "unit", "build", "size", "contract", "e2e", "test:faults"];

heading("setup");
process.exitCode = (await setUp()) ? await runSteps() : 1;

async function runSteps() {
  for (const step of steps) {
    heading(step);
    const code = await npm(["run", "--silent", step], { group: true });
    if (code === 0) continue;
    console.error(`\n${step} failed`);
    return code;
  }
  return 0;
}

/** @param {string} name */
function heading(name) {
  console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
}
