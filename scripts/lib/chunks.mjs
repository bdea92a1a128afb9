import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The part that loads as soon as a store is constructed: what it shares with other lazy parts belongs to it. */
const FIRST_PART = "runtime/write-side.ts";

/**
 * The chunk of dist/ for each source file: `core` for what index.ts imports, and one for what each lazy part imports. The file that a part begins
 * with has no name here: it is a chunk of its own. So the bundler of an app has little to distribute, and a page without a bundler loads few files.
 * @param {string} src the folder of the sources
 * @returns {Map<string, string>} the names of chunks by absolute path
 */
export function chunksOf(src) {
  const chunks = new Map();
  /** @type {Set<string>} */
  const parts = new Set();
  /** @param {string} path @param {string} chunk */
  const assign = (path, chunk) => {
    if (chunks.has(path)) return;
    chunks.set(path, chunk);
    const code = readFileSync(path, "utf8");
    for (const [, part = ""] of code.matchAll(/\bimport\("(\.[^"]+)"\)/g)) parts.add(join(dirname(path), part));
    for (const target of staticImports(path)) assign(target, chunk);
  };
  assign(join(src, "index.ts"), "core");
  // Parts may name further parts.
  assign(join(src, FIRST_PART), `parts/${basename(FIRST_PART, ".ts")}`);
  // What several parts import belongs to the one that imports the least: a page that loads only that one loads no more.
  for (const part of [...parts].toSorted((a, b) => importedBy(a).size - importedBy(b).size)) assign(part, `parts/${basename(part, ".ts")}`);
  for (const entry of [join(src, "index.ts"), ...parts]) chunks.delete(entry);
  return chunks;
}

/**
 * The files that a file imports, with their imports.
 * @param {string} path @param {Set<string>} [found]
 */
function importedBy(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const target of staticImports(path)) importedBy(target, found);
  return found;
}

/** @param {string} path @returns {string[]} without those of types only */
function staticImports(path) {
  const found = readFileSync(path, "utf8").matchAll(/^(?:import|export) ([^;]*?)\s*from "(\.[^"]+)";/gm);
  return [...found].flatMap(([, named = "", target = ""]) => (isTypeOnly(named) ? [] : [join(dirname(path), target)]));
}

/** @param {string} named what an import or export names */
function isTypeOnly(named) {
  if (named.startsWith("type ")) return true;
  const list = /^\{([\s\S]*)\}$/.exec(named.trim())?.[1];
  return list !== undefined && list.split(",").every((name) => name.trim() === "" || name.trim().startsWith("type "));
}
