import { statSync } from "node:fs";
import { root } from "./root.mjs";
import { npm } from "./run.mjs";

/** Installs the npm packages if they are missing or older than the lock file. @returns whether they are installed */
export async function ensurePackages() {
  if (changedAt("node_modules/.package-lock.json") >= changedAt("package-lock.json")) return true;
  console.log("npm packages are missing or out of date: npm ci");
  const code = await npm(["ci", "--no-audit", "--no-fund"], { env: { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1" } });
  return code === 0;
}

/** @param {string} path */
function changedAt(path) {
  return statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
