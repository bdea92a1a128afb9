// Builds dist/ from src/: a JavaScript file and a declaration for each source file. Dependencies stay imports.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { root } from "./lib/root.mjs";
import { run } from "./lib/run.mjs";

const dist = `${root}dist/`;

rmSync(dist, { recursive: true, force: true });
process.exitCode = await run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
if (process.exitCode === 0) readdirSync(dist, { recursive: true, encoding: "utf8" }).forEach(nameJavaScript);

/**
 * Makes a declaration import "./errors.js" where the source imports "./errors.ts".
 * The compiler does this for JavaScript only, and dist/ has no errors.ts.
 * @param {string} path
 */
function nameJavaScript(path) {
  if (!path.endsWith(".d.ts")) return;
  const text = readFileSync(dist + path, "utf8");
  writeFileSync(dist + path, text.replaceAll(/((?:from |import |import\()"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"'));
}
