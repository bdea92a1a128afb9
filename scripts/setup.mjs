// Installs what is missing: npm packages, nats-server, a Chromium. Runs before there are any packages, so it uses none.
import { pathToFileURL } from "node:url";
import { ensureBrowser, howToGetABrowser } from "./lib/browser.mjs";
import { ensureNatsServer, howToGetAServer } from "./lib/nats-server.mjs";
import { ensurePackages } from "./lib/packages.mjs";

/** Says whether everything is there that the tests need; prints what is, and how to get what is not. */
export async function setUp() {
  const packages = await ensurePackages();
  // After the packages: Playwright is asked for a browser of its own.
  const server = await ensureNatsServer();
  const browser = await ensureBrowser();

  console.log(packages ? "packages     installed" : "packages     npm ci failed, see above");
  console.log(`nats-server  ${server ?? `missing: ${howToGetAServer.replaceAll("\n", " ")}`}`);
  console.log(`Chromium     ${browser ?? `missing: ${howToGetABrowser}`}`);
  return packages && server !== undefined && browser !== undefined;
}

const asCommand = process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href;
if (asCommand && !(await setUp())) process.exitCode = 1;
