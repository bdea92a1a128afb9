import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ENGINES, type Engine } from "../scripts/lib/browsers.mjs";
import type { Conditions } from "./conditions.ts";
import type { Contribution } from "./page/comparison.ts";
import type { Figure, Result } from "./result.ts";
import type { AppSize } from "./size.ts";

/** All measurements of a run. */
export interface Measured {
  readonly conditions: Conditions;
  readonly results: readonly Result[];
  /** Rows that could not be measured, and why. */
  readonly failures: Readonly<Record<string, string>>;
  readonly app?: AppSize;
  readonly comparison?: readonly Contribution[];
}

/** The part of an engine's last full run that the docs show. One file in bench/results/ for each engine, so that a run keeps the figures of the others. */
export interface EngineRecord extends Omit<Measured, "results"> {
  /** By row. */
  readonly figures: Readonly<Record<string, Figure>>;
}

export type Records = Readonly<Partial<Record<Engine, EngineRecord>>>;

export async function keepRecord(engine: Engine, { results, ...rest }: Measured): Promise<void> {
  const figures = Object.fromEntries(results.map(({ goal, ours, peer, value }) => [goal.id, { ours, peer, value }]));
  await writeJson(pathOf(engine), { ...rest, figures } satisfies EngineRecord, (_key, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(5)) : value,
  );
}

export async function readRecords(): Promise<Records> {
  const records: Partial<Record<Engine, EngineRecord>> = {};
  for (const engine of ENGINES) {
    const text = await readFile(pathOf(engine), "utf8").catch(() => undefined);
    if (text !== undefined) records[engine] = JSON.parse(text) as EngineRecord;
  }
  return records;
}

export async function writeJson(path: string, value: object, replacer?: (key: string, value: unknown) => unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(value, replacer, 2)}\n`);
}

function pathOf(engine: Engine): string {
  return fileURLToPath(new URL(`results/${engine}.json`, import.meta.url));
}
