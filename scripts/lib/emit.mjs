import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";
import { run } from "./run.mjs";

/**
 * Writes a declaration for each source file into a folder.
 * @param {string} folder
 * @returns {Promise<number>} the exit code of the compiler
 */
export async function emitDeclarations(folder) {
  const code = await run(process.execPath, [
    `${root}node_modules/typescript/bin/tsc`,
    "-p",
    `${root}tsconfig.build.json`,
    "--outDir",
    folder,
  ]);
  if (code === 0) readdirSync(folder, { recursive: true, encoding: "utf8" }).forEach((path) => rewriteDeclaration(join(folder, path)));
  return code;
}

/**
 * Makes a declaration import "./errors.js" where the source imports "./errors.ts": the compiler does this for JavaScript only, and dist/
 * has no errors.ts. TypeScript before 5.7 has no type parameter of Uint8Array.
 * @param {string} path
 */
function rewriteDeclaration(path) {
  if (!path.endsWith(".d.ts")) return;
  const text = readFileSync(path, "utf8");
  const named = text.replaceAll(/((?:from |import |import\()"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"');
  writeFileSync(path, named.replaceAll("Uint8Array<ArrayBuffer>", "Uint8Array"));
}
