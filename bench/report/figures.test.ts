import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readRecords } from "../record.ts";
import { chart } from "./chart.ts";
import { documentOf } from "./document.ts";

const records = await readRecords();
const readme = read("README.md");

/** Figures of the README: a number, for sizes its unit, and a comment with the row or the chunk that it is from. */
const FIGURE = /(\d+(?:\.\d+)?)( KB)?<!-- ([\w.-]+) -->/g;

describe("the README", () => {
  it("has a row for every figure of the table of ratios", () => {
    const table = readme.slice(readme.indexOf("| ratio of times |"), readme.indexOf("## More"));
    const cells = table.split("\n").flatMap((line) => (/^\| [^-]/.test(line) ? [line.split("|").at(-2) ?? ""] : []));
    const untagged = cells.slice(1).filter((cell) => /\d/.test(cell.replaceAll(FIGURE, "")) || !cell.match(FIGURE));
    expect(untagged).toEqual([]);
  });

  it.each([...readme.matchAll(FIGURE)].map(([, figure = "", unit = "", name = ""]) => ({ name, figure, unit })))(
    "gives the figure $figure that was measured in Chromium for $name",
    ({ name, figure, unit }) => {
      expect(figure).toBe(unit === "" ? rounded(measured(name), figure) : String(Math.ceil(measured(name))));
    },
  );
});

describe("docs/", () => {
  it("has the table that npm run bench writes for bench/results/", () => {
    expect(read("docs/PERFORMANCE.md")).toContain(`\n\n${documentOf(records).trim()}\n\n`);
  });

  it("has the chart that npm run bench draws for bench/results/", () => {
    expect(records.chromium && chart(records.chromium)).toBe(read("docs/performance.svg"));
  });
});

/** The median of a row, or the size of a chunk. */
function measured(name: string): number {
  const { figures, app } = records.chromium ?? {};
  const found = figures?.[name]?.value.median ?? app?.lazy[name];
  if (found === undefined) throw new Error(`bench/results/chromium.json has no row and no chunk "${name}".`);
  return found;
}

/** With as many decimals as the README gives. */
function rounded(value: number, figure: string): string {
  return value.toFixed(figure.split(".")[1]?.length ?? 0);
}

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
}
