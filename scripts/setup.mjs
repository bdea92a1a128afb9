// Installs missing parts: npm packages, nats-server, the browsers. Runs before any package is installed, so it uses none.
import { pathToFileURL } from "node:url";
import { describeBrowser, ensureBrowser, ENGINES } from "./lib/browsers.mjs";
import { describeNatsServers, ensureNatsServers } from "./lib/nats-server.mjs";
import { ensurePackages } from "./lib/packages.mjs";

/**
 * Prints the parts that are present, and how to install the missing ones.
 * @typedef {{ packages: boolean, server: boolean, engines: readonly import("./lib/browsers.mjs").Engine[] }} Present
 * @returns {Promise<Present>}
 */
export async function setUp() {
  const packages = await ensurePackages();
  // After the packages, because Playwright may have a browser.
  const servers = await ensureNatsServers();
  /** @type {(readonly [import("./lib/browsers.mjs").Engine, string | undefined])[]} */
  const browsers = [];
  // One after another, because apt runs once at a time.
  for (const engine of ENGINES) browsers.push([engine, await ensureBrowser(engine)]);

  console.log(packages ? "packages     installed" : "packages     npm ci failed, see above");
  console.log(describeNatsServers(servers));
  for (const [engine, program] of browsers) console.log(describeBrowser(engine, program));
  const engines = browsers.filter(([, program]) => program !== undefined).map(([engine]) => engine);
  return { packages, server: servers.length > 0, engines };
}

/** @param {Present} present */
function isComplete({ packages, server, engines }) {
  return packages && server && engines.length === ENGINES.length;
}

const asCommand = process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href;
if (asCommand && !isComplete(await setUp())) process.exitCode = 1;
