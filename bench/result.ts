import type { Goal } from "./catalogue.ts";
import { compare, spread, type Spread } from "./measure.ts";

/** The figures of a measured row. */
export interface Figure {
  /** Medians: milliseconds, megabytes or kilobytes. */
  readonly ours: number;
  readonly peer: number;
  /** The value that is compared with the target: a ratio or a difference. */
  readonly value: Spread;
}

/** A measured row. */
export interface Result extends Figure {
  readonly goal: Goal;
  readonly turns: { readonly ours: readonly number[]; readonly peer: readonly number[] };
}

export function resultOf(goal: Goal, turns: { ours: readonly number[]; peer: readonly number[] }): Result {
  const { ours, peer, ratio } = compare(turns.ours, turns.peer);
  const value = goal.unit === "ratio" ? ratio : spread(turns.ours.map((one, index) => one - (turns.peer[index] as number)));
  return { goal, ours, peer, value, turns };
}

/** Undefined: the row has no target. */
export function meetsTarget({ target }: Goal, { value }: Figure): boolean | undefined {
  return target === undefined ? undefined : value.median <= target;
}
