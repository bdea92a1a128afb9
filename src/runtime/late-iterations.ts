import { readEntriesOptions } from "../options/late-checks.ts";
import { iterateEntries, type EntryIteratorPorts } from "../read/entry-iterator.ts";

export type LateIterations = ReturnType<typeof lateIterations>;

/** The operations that are iterated. They check their arguments at the first step. */
export function lateIterations(ports: EntryIteratorPorts) {
  return {
    entries: (pattern: unknown = "*", options?: unknown) => iterateEntries(ports, pattern, readEntriesOptions(options)),
  };
}
