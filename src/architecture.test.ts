import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const src = fileURLToPath(new URL(".", import.meta.url));

/**
 * The folders, from the top to the bottom. A file may import from its own folder and from folders further down, except where
 * `NEVER` says otherwise. Subfolders of storage/ are layers too.
 */
const LAYERS = [
  "entry points",
  "key-store.ts",
  "runtime",
  "interface",
  "durable",
  "transfer",
  "write",
  "relay",
  "read",
  "network",
  "storage/eviction",
  "storage/commit",
  "storage/outbox",
  "storage/entries",
  "storage/idb",
  "tabs",
  "options",
  "values",
  "model",
  "util",
];

/** Pairs that the order alone would allow. */
const NEVER: readonly (readonly [from: string, to: RegExp])[] = [
  ["network", /^(storage|tabs|options)\b/],
  ["storage", /^(tabs|options)\b/],
];

const ENTRY_POINTS = ["index.ts", "eager.ts"];

const imports = readImports();

it("every file of src/ lies in a folder of the list", () => {
  expect([...imports.keys()].filter((file) => LAYERS.indexOf(layerOf(file)) === -1)).toEqual([]);
});

it("imports point down the list of folders", () => {
  expect(pairs().filter(([from, to]) => LAYERS.indexOf(layerOf(from)) > LAYERS.indexOf(layerOf(to)))).toEqual([]);
});

it("storage/ imports nothing about tabs or options, and network/ nothing about storage", () => {
  const forbidden = pairs().filter(([from, to]) => NEVER.some(([folder, target]) => from.startsWith(`${folder}/`) && target.test(to)));
  expect(forbidden).toEqual([]);
});

it("nothing imports what only tests use", () => {
  expect(pairs().filter(([, to]) => to.startsWith("testing/") || to.endsWith(".test.ts"))).toEqual([]);
});

it("imports name files that exist, with their extension", () => {
  expect(pairs().filter(([, to]) => !imports.has(to))).toEqual([]);
});

it("imports form no cycle, type imports included", () => {
  expect(findCycle()).toEqual([]);
});

it("the index holds exports only, each by its name", () => {
  const rest = codeOf("index.ts").replaceAll(/export (type )?\{[^}]*\} from "[^"]+";/g, "");
  expect(rest.trim()).toBe("");
});

/** Every import between files of ours: who imports whom. */
function pairs(): [from: string, to: string][] {
  return [...imports].flatMap(([from, targets]) => targets.map((to): [string, string] => [from, to]));
}

/** The folder of a file; for a file at the top, the file itself. */
function layerOf(path: string): string {
  if (ENTRY_POINTS.includes(path)) return "entry points";
  const folders = path.split("/").slice(0, -1);
  return folders.join("/") || path;
}

/** The first way found from a file back to itself, as the files on it; empty where there is none. */
function findCycle(): string[] {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const target of imports.get(file) ?? []) {
      const cycle = visit(target, [...way, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of imports.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** The library's files, as paths from src/, with the files of ours that each imports, types and `import()` included. */
function readImports(): Map<string, string[]> {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts") && !path.startsWith("testing/"));
  return new Map(files.map((file) => [file, relativeImports(file)]));
}

function relativeImports(file: string): string[] {
  const specifiers = codeOf(file).matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]*)"/g);
  return [...specifiers].map(([, specifier = ""]) => posix.join(dirname(file), specifier));
}

function codeOf(file: string): string {
  return readFileSync(src + file, "utf8").replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
}
