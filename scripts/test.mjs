// Runs every gate, the quick ones first. The first that fails ends the run.
// `--all` adds the end-to-end and fault suites in Firefox. Steps whose server or browser is missing are left out and listed at the
// end; with `--complete`, as in .ci/run, that fails the run.
import { ENGINES } from "./lib/browsers.mjs";
import { npm } from "./lib/run.mjs";
import { planSteps } from "./lib/test-steps.mjs";
import { setUp } from "./setup.mjs";

const args = process.argv.slice(2);

heading("setup");
const present = await setUp();
const { steps, leftOut } = planSteps(present, ENGINES, { all: args.includes("--all") });

if (!present.packages) fail("The npm packages are missing: no test was run.");
else if (args.includes("--complete") && leftOut.length > 0) fail(`No test was run, because these steps cannot run: ${leftOut.join(", ")}.`);
else await runSteps();

async function runSteps() {
  for (const { title, script, args: stepArgs, engine } of steps) {
    heading(title);
    const code = await npm(["run", "--silent", script, "--", ...stepArgs], { group: true, env: { ENGINE: engine } });
    if (code !== 0) return fail(`${title} failed`);
  }
  if (leftOut.length > 0) {
    console.log(`\nAll steps that ran have passed, but this was not the full gate. Not run: ${leftOut.join(", ")}.`);
    console.log("The lines under “setup” list the missing parts and how to install them.");
  }
}

/** @param {string} message */
function fail(message) {
  console.error(`\n${message}`);
  process.exitCode = 1;
}

/** @param {string} name */
function heading(name) {
  console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
}
