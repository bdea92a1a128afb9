import { parseArgs } from "node:util";
import { ENGINES, type Engine } from "../scripts/lib/browsers.mjs";

export interface Options {
  readonly engine: Engine;
  /** Parts of the names of the rows to be measured; none: all. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** Where the figures go as JSON. */
  readonly json: string;
  /** Sample where our side's time goes, in place of comparing. */
  readonly profile: boolean;
  /** Measure what is in dist/ now. */
  readonly noBuild: boolean;
  /** Measure nothing: write the docs anew from bench/results/. */
  readonly docs: boolean;
  /** IndexedDB in memory, as in a private window. */
  readonly incognito: boolean;
}

export const USAGE = `npm run bench -- [--engine <name>] [--only <row>]... [--quick] [--json <file>] [--profile] [--incognito] [--no-build] [--docs]

  --engine <name> the browser engine: ${ENGINES.join(", ")} (chromium)
  --only <row>    the rows whose name contains this ("comparison": the table of simple sets and gets); can be repeated
  --quick         a tenth of the work, to see that everything runs; its figures are no results
  --json <file>   where the figures go (reports/bench-<engine>.json)
  --profile       no comparison: where the CPU time of our side of the rows goes, and when things happen in a lone store;
                  other engines than Chromium give no profile, only the times
  --incognito     IndexedDB in memory, as in a private window; otherwise on the disk (Chromium only)
  --no-build      measure what is in dist/ now
  --docs          measure nothing: write docs/PERFORMANCE.md anew from bench/results/

The docs are rewritten by a run of everything that is not quick.`;

/** @throws TypeError for an unknown option or an invalid value */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: "string", default: "chromium" },
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      profile: { type: "boolean", default: false },
      incognito: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      docs: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { help, "no-build": noBuild, engine: name, json, ...rest } = values;
  const engine = ENGINES.find((one) => one === name);
  if (engine === undefined) throw new TypeError(`Unknown engine "${name}". Name one of ${ENGINES.join(", ")}.`);
  if (rest.incognito && engine !== "chromium") throw new TypeError("--incognito works in Chromium only.");
  return help ? undefined : { ...rest, engine, json: json ?? `reports/bench-${engine}.json`, noBuild };
}
