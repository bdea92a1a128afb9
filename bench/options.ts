import { parseArgs } from "node:util";

export interface Options {
  /** Parts of the names of the rows to be measured; none: all. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** Where the figures go as JSON. */
  readonly json: string;
  /** Sample where our side's time goes, in place of comparing. */
  readonly profile: boolean;
  /** Measure what is in dist/ now. */
  readonly noBuild: boolean;
  /** IndexedDB in memory, as in a private window. */
  readonly incognito: boolean;
}

export const USAGE = `npm run bench -- [--only <row>]... [--quick] [--json <file>] [--profile] [--incognito] [--no-build]

  --only <row>    the rows whose name contains this ("comparison": the table of simple sets and gets); can be repeated
  --quick         a tenth of the work, to see that everything runs; its figures are no results
  --json <file>   where the figures go (reports/bench.json)
  --profile       no comparison: where the CPU time of our side of the rows goes, and when things happen in a lone store
  --incognito     IndexedDB in memory, as in a private window; otherwise on the disk
  --no-build      measure what is in dist/ now

The docs are rewritten by a run of everything that is not quick.`;

/** @throws TypeError for an option that there is not */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      json: { type: "string", default: "reports/bench.json" },
      profile: { type: "boolean", default: false },
      incognito: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { help, "no-build": noBuild, ...rest } = values;
  return help ? undefined : { ...rest, noBuild };
}
