import { spread } from "../measure.ts";
import type { Contribution } from "../page/comparison.ts";
import { amount } from "./table.ts";

/** Headings and rows of the table of simple sets and gets. */
export function comparisonTable(contributions: readonly Contribution[]): [headings: string[], rows: string[][]] {
  const median = (values: readonly number[]): string => (values.length === 0 ? "–" : amount(spread(values).median));
  return [
    ["library", "publishes", "set, one after another", "100 sets at once, each", "get, one after another"],
    contributions.map(({ name, publishes, set, sets, get }) => [name, publishes ? "yes" : "no", median(set), median(sets), median(get)]),
  ];
}
