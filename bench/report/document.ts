import { readFile, writeFile } from "node:fs/promises";
import { ENGINES, type Engine } from "../../scripts/lib/browsers.mjs";
import { GOALS, type Goal } from "../catalogue.ts";
import { describe } from "../conditions.ts";
import { TRAITS } from "../engines.ts";
import type { EngineRecord, Records } from "../record.ts";
import { meetsTarget } from "../result.ts";
import type { AppSize } from "../size.ts";
import { comparisonTable } from "./comparison.ts";
import { amount, atMost, markdownTable, median } from "./table.ts";

const BEGIN = "<!-- measured: begin (npm run bench rewrites this) -->";
const END = "<!-- measured: end -->";

/** Puts text between the markers of a document, in place of what is there. */
export async function rewriteMeasured(path: string, text: string): Promise<void> {
  const document = await readFile(path, "utf8");
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path} has no place for what was measured: ${BEGIN} … ${END}`);
  await writeFile(path, `${document.slice(0, begin + BEGIN.length)}\n\n${text.trim()}\n\n${document.slice(end)}`);
}

/** The measured part of docs/PERFORMANCE.md: the engines side by side, then each by itself. */
export function documentOf(records: Records): string {
  const measured = ENGINES.flatMap((engine) => {
    const record = records[engine];
    return record === undefined ? [] : [{ engine, record }];
  });
  return [
    "## Side by side",
    "The median of each row [middle half]. **Bold**: over the target.",
    markdownTable(
      ["row", "work", "against", "at most", ...measured.map(({ engine }) => TRAITS[engine].name)],
      GOALS.map((goal) => [goal.id, goal.work, goal.against, atMost(goal), ...measured.map(({ record }) => medianOf(goal, record))]),
    ),
    ...measured.flatMap(({ engine }) => leftOut(engine)),
    "Chromium's figures as a share of their targets:",
    "![Each row's figure as a share of its target](performance.svg)",
    "## Times",
    ...measured.flatMap(({ engine, record }) => section(engine, record)),
  ].join("\n\n");
}

function medianOf(goal: Goal, { figures }: EngineRecord): string {
  const figure = figures[goal.id];
  if (figure === undefined) return "–";
  return meetsTarget(goal, figure) === false ? `**${median(goal, figure)}**` : median(goal, figure);
}

function leftOut(engine: Engine): string[] {
  const { name, leftOut } = TRAITS[engine];
  const reasons = Object.entries(leftOut).map(([id, reason]) => `\`${id}\` (${reason})`);
  return reasons.length === 0 ? [] : [`Not measured in ${name}: ${reasons.join(", ")}.`];
}

function section(engine: Engine, { conditions, figures, failures, app, comparison }: EngineRecord): string[] {
  const rows = GOALS.flatMap((goal) => {
    const figure = figures[goal.id];
    return figure === undefined ? [] : [[goal.id, amount(figure.ours, goal.unit), amount(figure.peer, goal.unit)]];
  });
  return [
    `### ${TRAITS[engine].name}`,
    describe(conditions),
    markdownTable(["row", "ours", "peer"], rows),
    ...(app === undefined ? [] : [lazyChunks(app)]),
    ...Object.entries(failures).map(([id, error]) => `\`${id}\` could not be measured: ${error}`),
    ...(comparison === undefined ? [] : ["Simple sets and gets, medians of each call:", markdownTable(...comparisonTable(comparison))]),
  ];
}

export function lazyChunks({ entry, lazy }: AppSize): string {
  const chunks = Object.entries(lazy).map(([name, size]) => `${name} ${size.toFixed(1)} KB`);
  return `The app's entry chunk has ${entry.toFixed(2)} KB, gzipped. Loaded when they are first needed: ${chunks.join(", ")}.`;
}
