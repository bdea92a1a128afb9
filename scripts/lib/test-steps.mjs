/**
 * @typedef {import("./browsers.mjs").Engine} Engine
 * @typedef {{ title: string, script: string, args: string[], engine: Engine }} Step
 * @typedef {{ server: boolean, engines: readonly Engine[] }} Present
 */

/**
 * The steps of `npm test` that can run on this machine, in order, and the titles of the others.
 * @param {Present} present
 * @param {readonly Engine[]} allEngines
 * @param {{ all: boolean }} options `all`: the end-to-end and fault suites in Firefox too
 * @returns {{ steps: Step[], leftOut: string[] }}
 */
export function planSteps({ server, engines }, allEngines, { all }) {
  /** @type {Step[]} */
  const steps = ["format:check", "types", "lint"].map((script) => step(script));
  /** @type {string[]} */
  const leftOut = [];

  /** @param {boolean} possible @param {Step} wanted */
  const add = (possible, wanted) => void (possible ? steps.push(wanted) : leftOut.push(wanted.title));

  // The unit run includes the contract suite in Node, which needs the server. Coverage counts it.
  if (server) steps.push(step("coverage"));
  else {
    steps.push({ ...step("unit"), args: ["src", "api", "bench", "scripts"] });
    leftOut.push("the contract suite in Node", "the floor of coverage");
  }
  steps.push(step("build"), step("size"));

  const inContract = server ? engines : [];
  add(inContract.includes("chromium"), step("test:bundlers"));
  const missing = allEngines.filter((engine) => !inContract.includes(engine));
  if (inContract.length > 0)
    steps.push({ ...step("contract"), args: missing.length === 0 ? [] : inContract.map((engine) => `--project=${engine}`) });
  leftOut.push(...missing.map((engine) => `contract in ${engine}`));

  for (const engine of /** @type {Engine[]} */ (all ? ["chromium", "firefox"] : ["chromium"])) {
    for (const script of ["e2e", "test:faults"]) add(inContract.includes(engine), step(script, engine));
  }
  return { steps, leftOut };
}

/**
 * @param {string} script
 * @param {Engine} [engine]
 * @returns {Step}
 */
function step(script, engine = "chromium") {
  return { title: engine === "chromium" ? script : `${script} in ${engine}`, script, args: [], engine };
}
