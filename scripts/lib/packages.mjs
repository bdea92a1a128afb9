import { statSync } from "node:fs";
import { root } from "./root.mjs";
import { npm } from "./run.mjs";

/**
 * Installs the npm packages of a folder of this project if they are missing or older than its lock file.
 * @param {string} folder with a slash at its end
 * @param {readonly string[]} args further arguments of npm
 * @returns whether they are installed
 */
export async function ensurePackages(folder = "./", args = []) {
  if (changedAt(`${folder}node_modules/.package-lock.json`) >= changedAt(`${folder}package-lock.json`)) return true;
  console.log(`npm packages are missing or out of date: npm ci --prefix ${folder}`);
  const code = await npm(["ci", "--prefix", folder, "--no-audit", "--no-fund", ...args], {
    env: { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1" },
  });
  return code === 0;
}

/** @param {string} path */
function changedAt(path) {
  return statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
