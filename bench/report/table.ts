import type { Goal } from "../catalogue.ts";
import { meetsTarget, type Figure } from "../result.ts";

export const HEADINGS: readonly string[] = ["row", "work", "against", "ours", "peer", "median [p25–p75]", "at most", ""];

/** A row of figures as text. */
export function cells(goal: Goal, figure: Figure): string[] {
  const met = meetsTarget(goal, figure);
  return [
    goal.id,
    goal.work,
    goal.against,
    amount(figure.ours, goal.unit),
    amount(figure.peer, goal.unit),
    median(goal, figure),
    atMost(goal),
    met === undefined ? "" : met ? "ok" : "over",
  ];
}

/** The figure of a row, and the middle half of the measurements. */
export function median({ unit }: Goal, { value }: Figure): string {
  const number = (n: number): string => (unit === "ratio" ? ratio(n) : n.toFixed(2));
  return `${number(value.median)} [${number(value.p25)}–${number(value.p75)}]${unit === "ratio" ? "" : ` ${unit}`}`;
}

export function atMost({ target, aim }: Goal): string {
  return target === undefined ? "–" : aim === undefined ? String(target) : `${target} (aim ${aim})`;
}

/** A number with two decimals, below 0.1 with two significant digits. */
export function ratio(n: number): string {
  return n >= 0.1 ? n.toFixed(2) : n.toPrecision(2);
}

/** A duration in a readable unit. Other amounts keep their unit. */
export function amount(n: number, unit: Goal["unit"] = "ratio"): string {
  if (unit !== "ratio") return `${n.toFixed(2)} ${unit.slice(0, 2)}`;
  if (n >= 10_000) return `${(n / 1000).toFixed(1)} s`;
  if (n >= 100) return `${n.toFixed(0)} ms`;
  if (n >= 1) return `${n.toPrecision(3)} ms`;
  return `${(n * 1000).toPrecision(3)} µs`;
}

export function plainTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return [headings, headings.map(() => "---"), ...rows].map((line) => `| ${line.join(" | ")} |`).join("\n");
}
