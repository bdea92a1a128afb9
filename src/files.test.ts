import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const src = fileURLToPath(new URL(".", import.meta.url));

/** Lines by file, tests apart. */
const lengths = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, lines: readFileSync(src + path, "utf8").split("\n").length - 1 }));
const tests = lengths.filter(({ path }) => path.endsWith(".test.ts"));
const sources = lengths.filter(({ path }) => !path.endsWith(".test.ts") && !/^testing\b/.test(path));

it("no source file has more than 250 lines", () => {
  expect(sources.filter(({ lines }) => lines > 250)).toEqual([]);
});

it("no test file has more than 400 lines", () => {
  expect(tests.filter(({ lines }) => lines > 400)).toEqual([]);
});

it("half of the source files have fewer than 90 lines", () => {
  const sorted = sources.map(({ lines }) => lines).toSorted((a, b) => a - b);
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(90);
});
