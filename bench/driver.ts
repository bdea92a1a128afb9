import { mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Page } from "@playwright/test";
import { startNatsServer } from "../e2e/support/nats-server.ts";
import { root } from "../scripts/lib/root.mjs";
import { npm } from "../scripts/lib/run.mjs";
import { launch, type Surroundings } from "./browser.ts";
import { buildPage } from "./bundle.ts";
import { GOALS, quick, QUICK_SIZES, SIZES, type Goal } from "./catalogue.ts";
import { conditions, describe, type Conditions } from "./conditions.ts";
import { measureBlocking } from "./blocking.ts";
import { measureHeap } from "./heap.ts";
import { readOptions, USAGE, type Options } from "./options.ts";
import type { Contribution } from "./page/comparison.ts";
import type { World } from "./page/rows.ts";
import { profile } from "./profile.ts";
import { chart } from "./report/chart.ts";
import { comparisonTable } from "./report/comparison.ts";
import { rewriteMeasured } from "./report/document.ts";
import { cells, HEADINGS, markdownTable, plainTable } from "./report/table.ts";
import { resultOf, type Result } from "./result.ts";
import { servePage } from "./serve.ts";
import { measureSize, type AppSize } from "./size.ts";

interface Measured {
  readonly conditions: Conditions;
  readonly results: readonly Result[];
  /** Rows that could not be measured, and why. */
  readonly failures: Readonly<Record<string, string>>;
  readonly app?: AppSize;
  readonly comparison?: readonly Contribution[];
}

/** @returns the exit code: a row that cannot be measured fails the run, one that is over its target does not */
export async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const built = options.noBuild ? 0 : await npm(["run", "--silent", "build"]);
  if (built !== 0) return built;
  await buildPage();

  const site = await servePage();
  const server = await startNatsServer({ jetstream: true });
  const surroundings = await launch(site.url, options.incognito);
  try {
    const world: World = { servers: server.wsUrl, sizes: options.quick ? QUICK_SIZES : SIZES };
    const goals = GOALS.filter(({ id }) => wanted(id, options)).map((goal) => (options.quick ? quick(goal) : goal));
    if (options.profile) return await profileAll(surroundings, goals, world);
    const measured = await measureAll(surroundings, goals, world, options);
    await report(measured, options);
    return Object.keys(measured.failures).length === 0 ? 0 : 1;
  } finally {
    await surroundings.close();
    await server.dispose();
    await site.stop();
  }
}

function wanted(id: string, { only }: Options): boolean {
  return only.length === 0 || only.some((part) => id.includes(part));
}

async function measureAll(surroundings: Surroundings, goals: readonly Goal[], world: World, options: Options): Promise<Measured> {
  const page = await surroundings.open();
  const results: Result[] = [];
  const failures: Record<string, string> = {};
  let app: AppSize | undefined;
  const where = await conditions(surroundings.version, options.incognito);
  console.log(`\n${describe(where)}\n`);
  for (const goal of goals) {
    try {
      const { sizes, ...turns } = await measure(surroundings, page, goal, world);
      app ??= sizes;
      const result = resultOf(goal, turns);
      results.push(result);
      console.log(cells(result).join("  "));
    } catch (error) {
      failures[goal.id] = String(error);
      console.log(`${goal.id}  failed: ${String(error)}`);
    }
  }
  let comparison: Contribution[] | undefined;
  if (wanted("comparison", options)) {
    const scale = options.quick ? { calls: 10, rounds: 2 } : { calls: 100, rounds: 7 };
    const compared = page.evaluate(([servers, scale]) => bench.compareAll(servers, scale), [world.servers, scale] as const);
    comparison = await compared.catch((error: unknown) => void (failures["comparison"] = String(error)));
  }
  return { conditions: where, results, failures, ...(app && { app }), ...(comparison && { comparison }) };
}

interface Turns {
  readonly ours: number[];
  readonly peer: number[];
  readonly sizes?: AppSize;
}

async function measure(surroundings: Surroundings, page: Page, goal: Goal, world: World): Promise<Turns> {
  if (goal.id === "heap") return measureHeap(surroundings, page, world, goal);
  if (goal.id === "blocked") return measureBlocking(surroundings, page, world.servers, goal);
  if (goal.id === "size") {
    const { ours, peer } = await measureSize();
    return { ours: [ours.entry], peer: [peer.entry], sizes: ours };
  }
  return page.evaluate(([goal, world]) => bench.run(goal, world), [goal, world] as const);
}

async function profileAll({ open }: Surroundings, goals: readonly Goal[], world: World): Promise<number> {
  const page = await open();
  console.log(await page.evaluate((servers) => bench.timeline(servers), world.servers));
  for (const goal of goals) if (!["heap", "size", "blocked"].includes(goal.id)) console.log(`\n${await profile(page, goal, world)}`);
  return 0;
}

async function report(measured: Measured, options: Options): Promise<void> {
  const { conditions: where, results, failures, app, comparison } = measured;
  const rows = results.map(cells);
  console.log(`\n${plainTable(HEADINGS, rows)}`);
  if (app !== undefined) console.log(`\n${lazyChunks(app)}`);
  if (comparison !== undefined) console.log(`\n${plainTable(...comparisonTable(comparison))}`);
  for (const [id, error] of Object.entries(failures)) console.log(`\n${id} could not be measured: ${error}`);

  const json = resolve(root, options.json);
  await mkdir(dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify(measured, undefined, 2)}\n`);
  console.log(`\n${json} has every turn.`);

  if (options.quick || options.incognito || options.only.length > 0) return;
  await writeFile(resolve(root, "docs/performance.svg"), chart(results));
  const parts = [
    describe(where),
    "![Each row's figure as a share of its target](performance.svg)",
    markdownTable(HEADINGS, rows),
    app === undefined ? "" : lazyChunks(app),
    ...Object.entries(failures).map(([id, error]) => `\`${id}\` could not be measured: ${error}`),
    "Simple sets and gets, medians of each call:",
    comparison === undefined ? "" : markdownTable(...comparisonTable(comparison)),
  ];
  await rewriteMeasured(resolve(root, "docs/PERFORMANCE.md"), parts.filter(Boolean).join("\n\n"));
  console.log("docs/PERFORMANCE.md and docs/performance.svg have been rewritten.");
}

function lazyChunks({ entry, lazy }: AppSize): string {
  const chunks = Object.entries(lazy).map(([name, size]) => `${name} ${size.toFixed(1)} KB`);
  return `The app's entry chunk has ${entry.toFixed(2)} KB, gzipped. Loaded when they are first needed: ${chunks.join(", ")}.`;
}
