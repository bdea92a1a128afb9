import { parseArgs } from "node:util";
import { ENGINES, type Engine } from "../scripts/lib/browsers.mjs";

export interface Options {
  readonly engine: Engine;
  /** Parts of the names of the rows to measure. Empty: all rows. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** The JSON file for the figures. */
  readonly json: string;
  /** Profiles our side instead of comparing. */
  readonly profile: boolean;
  /** Measures the present dist/. */
  readonly noBuild: boolean;
  /** Writes the docs again from bench/results/, without measuring. */
  readonly docs: boolean;
  /** IndexedDB in memory, as in a private window. */
  readonly incognito: boolean;
}

export const USAGE = `npm run bench -- [--engine <name>] [--only <row>]... [--quick] [--json <file>] [--profile] [--incognito] [--no-build] [--docs]

  --engine <name> the browser engine: ${ENGINES.join(", ")} (chromium)
  --only <row>    the rows whose name contains this ("comparison": the table of simple sets and gets); can be repeated
  --quick         a tenth of the work, to check that everything runs; do not publish its figures
  --json <file>   the file for the figures (reports/bench-<engine>.json)
  --profile       no comparison: a CPU profile of our side of the rows (Chromium only), and a timeline of a single store
  --incognito     IndexedDB in memory, as in a private window; otherwise on the disk (Chromium only)
  --no-build      measure the present dist/
  --docs          write docs/PERFORMANCE.md again from bench/results/, without measuring

A complete run that is not quick rewrites the docs.`;

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
