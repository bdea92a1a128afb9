import { GOALS, type Goal } from "../catalogue.ts";
import type { EngineRecord } from "../record.ts";
import { meetsTarget, type Figure } from "../result.ts";
import { ratio } from "./table.ts";

const ROW = 26;
const LABELS = 470;
const SCALE = 170;
/** The longest bar, in multiples of the target. Longer bars are cut. */
const LONGEST = 2;
const WIDTH = LABELS + SCALE * LONGEST + 200;
const TOP = 46;

/** Horizontal bars: each row's figure as a share of its target. A bar left of the line meets the target. */
export function chart({ figures }: EngineRecord): string {
  const rows = GOALS.flatMap((goal) => {
    const figure = figures[goal.id];
    return goal.target === undefined || figure === undefined ? [] : [[goal, figure] as const];
  });
  const height = TOP + rows.length * ROW + 14;
  const line = LABELS + SCALE;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img">
<title>nas-keystore: each figure as a share of its target</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="22" font-size="14" font-weight="600" fill="#1f2328">Each row's median as a share of its target; shorter is better, left of the line is within it</text>
${rows.map(([goal, figure], index) => bar(goal, figure, TOP + index * ROW)).join("\n")}
<line x1="${line}" x2="${line}" y1="${TOP - 8}" y2="${height - 8}" stroke="#1f2328" stroke-dasharray="4 3"/>
</svg>
`;
}

function bar(goal: Goal, figure: Figure, y: number): string {
  const { value } = figure;
  const target = goal.target as number;
  const x = (share: number): number => LABELS + SCALE * Math.min(LONGEST, Math.max(0, share));
  const [low, middle, high] = [value.p25, value.median, value.p75].map((one) => x(one / target)) as [number, number, number];
  const unit = goal.unit === "ratio" ? "" : ` ${goal.unit}`;
  const centre = y + ROW / 2 - 3;
  return [
    `<text x="${LABELS - 10}" y="${centre + 4}" text-anchor="end" fill="#1f2328">${escape(shortened(`${goal.work} / ${goal.against}`))}</text>`,
    `<rect x="${LABELS}" y="${y}" width="${(middle - LABELS).toFixed(1)}" height="${ROW - 8}" rx="2" fill="${meetsTarget(goal, figure) ? "#2da44e" : "#d4762a"}"/>`,
    `<line x1="${low.toFixed(1)}" x2="${high.toFixed(1)}" y1="${centre}" y2="${centre}" stroke="#1f2328" stroke-opacity=".55" stroke-width="2"/>`,
    `<text x="${(Math.max(middle, high, LABELS + SCALE) + 8).toFixed(1)}" y="${centre + 4}" fill="#57606a">${ratio(value.median)}, at most ${target}${unit}</text>`,
  ].join("");
}

function shortened(text: string): string {
  return text.length > 74 ? `${text.slice(0, 73)}…` : text;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
