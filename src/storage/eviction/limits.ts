import type { Usage } from "../../model/change.ts";

export interface Limits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export function isLimited({ maxEntries, maxBytes }: Limits): boolean {
  return maxEntries < Infinity || maxBytes < Infinity;
}

/** How much has to go; undefined when the usage is within the limits. */
export function excessOf({ entries, bytes }: Usage, { maxEntries, maxBytes }: Limits): Usage | undefined {
  if (entries <= maxEntries && bytes <= maxBytes) return undefined;
  return { entries: Math.max(0, entries - maxEntries), bytes: Math.max(0, bytes - maxBytes) };
}

export function plus(a: Usage, b: Usage): Usage {
  return { entries: a.entries + b.entries, bytes: a.bytes + b.bytes };
}

export function minus(a: Usage, b: Usage): Usage {
  return { entries: a.entries - b.entries, bytes: a.bytes - b.bytes };
}
