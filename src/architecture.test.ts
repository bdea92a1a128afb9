import { readdirSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const src = fileURLToPath(new URL(".", import.meta.url));

/** What a room may import of ours, beside its own files. Rooms that are not named here stand on top and may import all. */
const allowed: Record<string, readonly string[]> = {
  "errors.ts": ["entry"],
  "deadline.ts": [],
  "lazy.ts": ["entry", "errors.ts", "deadline.ts"],
  entry: ["errors.ts", "lazy.ts"],
  storage: ["entry", "errors.ts", "events.ts", "deadline.ts"],
  network: ["entry", "errors.ts", "lazy.ts", "events.ts", "deadline.ts"],
  tabs: ["entry", "errors.ts", "events.ts"],
};

const imports = readImports();

it("imports point downwards only", () => {
  const upwards = pairs().filter(([from, to]) => {
    const below = allowed[roomOf(from)];
    return below !== undefined && roomOf(from) !== roomOf(to) && !below.includes(roomOf(to));
  });
  expect(upwards).toEqual([]);
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

/** The folder that a file is in, or the file itself at the top. */
function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
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
