import { aptInstall, haveApt } from "./apt.mjs";
import { firstProgram, onPath } from "./run.mjs";

/** What to tell somebody who has none. */
export const howToGetABrowser = "install Chromium or Chrome (Debian: apt install chromium), or name one in CHROME_PATH";

/**
 * A Chromium that can be driven. One that is named comes first, then Playwright's own, then what the machine has.
 * @returns {Promise<string | undefined>}
 */
export async function findBrowser() {
  return firstProgram([
    process.env["CHROME_PATH"],
    process.env["CHROMIUM_PATH"],
    await playwrightsOwn(),
    ...["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(onPath),
    "/usr/bin/chromium",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ]);
}

/**
 * Finds a browser, or has the machine's package manager install one. Nothing is downloaded past it.
 * @returns {Promise<string | undefined>}
 */
export async function ensureBrowser() {
  const found = await findBrowser();
  if (found !== undefined || !haveApt()) return found;
  console.log("Chromium is missing: installing it with apt");
  await aptInstall("chromium");
  return findBrowser();
}

/** Where Playwright would have its Chromium; undefined while the packages are not installed. */
async function playwrightsOwn() {
  try {
    const { chromium } = await import("@playwright/test");
    return chromium.executablePath();
  } catch {
    return undefined;
  }
}
