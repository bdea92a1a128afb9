import { aptInstall, haveApt } from "./apt.mjs";
import { firstProgram, onPath } from "./run.mjs";

/**
 * The browser engines that the tests run in.
 * @typedef {"chromium" | "firefox" | "webkit"} Engine
 * @typedef {{ name: string, howToGet: string, packages: string[], candidates: () => Promise<(string | undefined)[]> }} Source
 */

/** @type {readonly Engine[]} */
export const ENGINES = ["chromium", "firefox", "webkit"];

/**
 * The paths of each engine's program, and how to install it. An environment variable takes precedence.
 * @type {Record<Engine, Source>}
 */
const sources = {
  chromium: {
    name: "Chromium",
    howToGet: "install Chromium or Chrome (Debian: apt install chromium), or name its program in CHROME_PATH",
    packages: ["chromium"],
    candidates: async () => [
      named("CHROME_PATH"),
      named("CHROMIUM_PATH"),
      await playwrightsChromium(),
      ...["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(onPath),
      "/usr/bin/chromium",
      "/usr/bin/google-chrome",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
  },
  firefox: {
    name: "Firefox",
    howToGet: "install Firefox ESR (Debian: apt install firefox-esr), or name its program in FIREFOX_PATH",
    packages: ["firefox-esr"],
    candidates: async () => [
      named("FIREFOX_PATH"),
      ...["firefox-esr", "firefox"].map(onPath),
      "/usr/bin/firefox-esr",
      "/Applications/Firefox.app/Contents/MacOS/firefox",
    ],
  },
  webkit: {
    name: "WebKitGTK",
    howToGet: "install WebKitGTK's driver and Xvfb (Debian: apt install webkit2gtk-driver xvfb)",
    packages: ["webkit2gtk-driver", "xvfb"],
    // MiniBrowser needs a display: Xvfb provides it.
    candidates: async () =>
      onPath("Xvfb") === undefined ? [] : [named("WEBKIT_DRIVER_PATH"), onPath("WebKitWebDriver"), "/usr/bin/WebKitWebDriver"],
  },
};

/**
 * The program that runs an engine: the browser, or WebKitGTK's WebDriver.
 * @param {Engine} engine
 * @returns {Promise<string | undefined>}
 */
export async function findBrowser(engine) {
  return firstProgram(await sources[engine].candidates());
}

/**
 * Like `findBrowser`, but installs a missing browser with the machine's package manager. Downloads nothing else.
 * @param {Engine} engine
 * @returns {Promise<string | undefined>}
 */
export async function ensureBrowser(engine) {
  const { name, packages } = sources[engine];
  const found = await findBrowser(engine);
  if (found !== undefined || !haveApt()) return found;
  console.log(`${name} is missing: installing it with apt`);
  await aptInstall(...packages);
  return findBrowser(engine);
}

/**
 * Like `findBrowser`, but throws if the browser is missing.
 * @param {Engine} engine
 * @returns {Promise<string>}
 * @throws {Error} that states how to install the browser
 */
export async function requireBrowser(engine) {
  const found = await findBrowser(engine);
  if (found === undefined) throw new Error(`${sources[engine].name} was not found: ${sources[engine].howToGet}.`);
  return found;
}

/**
 * A line of output: the path of the engine's program, or how to install it.
 * @param {Engine} engine
 * @param {string | undefined} program
 */
export function describeBrowser(engine, program) {
  const { name, howToGet } = sources[engine];
  return `${name.padEnd(12)} ${program ?? `missing: ${howToGet}`}`;
}

/**
 * The program that an environment variable names.
 * @param {string} variable
 * @throws {Error} when there is no such program
 */
function named(variable) {
  const path = process.env[variable];
  if (path && firstProgram([path]) === undefined) throw new Error(`${variable} is not the path of a program: ${path}`);
  return path || undefined;
}

/** The program of the Chromium that Playwright would have downloaded; undefined while the npm packages are not installed. */
async function playwrightsChromium() {
  try {
    const { chromium } = await import("@playwright/test");
    return chromium.executablePath();
  } catch {
    return undefined;
  }
}
