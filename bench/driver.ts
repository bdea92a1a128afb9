import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { startNatsServer } from "../e2e/support/nats-server.ts";
import { natsServers } from "../e2e/support/nats-servers.ts";
import { root } from "../scripts/lib/root.mjs";
import { npm } from "../scripts/lib/run.mjs";
import { launch, type BenchPage, type Browser } from "./browsers/browser.ts";
import { buildPage } from "./bundle.ts";
import { GOALS, quick, QUICK_SIZES, SIZES, type Goal } from "./catalogue.ts";
import { conditions, describe } from "./conditions.ts";
import { BLOCKING, measureBlocking } from "./blocking.ts";
import { TRAITS } from "./engines.ts";
import { measureHeap } from "./heap.ts";
import { readOptions, USAGE, type Options } from "./options.ts";
import type { Contribution } from "./page/comparison.ts";
import type { World } from "./page/rows.ts";
import { profile } from "./profile.ts";
import { keepRecord, readRecords, writeJson, type Measured } from "./record.ts";
import { chart } from "./report/chart.ts";
import { comparisonTable } from "./report/comparison.ts";
import { documentOf, lazyChunks, rewriteMeasured } from "./report/document.ts";
import { cells, HEADINGS, plainTable } from "./report/table.ts";
import { resultOf, type Result } from "./result.ts";
import { servePage } from "./serve.ts";
import { measureSize, type AppSize } from "./size.ts";

/** @returns the exit code: a row that cannot be measured fails the run, one that is over its target does not */
export async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  if (options.docs) {
    await rewriteDocs();
    return 0;
  }
  const names = [...GOALS.map(({ id }) => id), "comparison"];
  const unknown = options.only.find((part) => !names.some((name) => name.includes(part)));
  if (unknown !== undefined) {
    console.error(`No row's name contains "${unknown}". The rows are: ${names.join(", ")}.`);
    return 1;
  }
  const built = options.noBuild ? 0 : await npm(["run", "--silent", "build"]);
  if (built !== 0) return built;
  await buildPage();

  const site = await servePage();
  const server = await startNatsServer({ jetstream: true });
  const program = natsServers.find(({ version }) => hasDirectGet(version))?.program;
  const direct = program === undefined ? undefined : await startNatsServer({ jetstream: true, program });
  const browser = await launch(options.engine, site.url, options.incognito);
  try {
    const { mostSockets, leftOut } = TRAITS[options.engine];
    const sizes = options.quick ? QUICK_SIZES : SIZES;
    const world: World = { servers: server.wsUrl, directServers: direct?.wsUrl, sizes, mostSockets };
    const canMeasure = ({ id, directGet }: Goal): boolean => !(id in leftOut) && (!directGet || direct !== undefined);
    const goals = GOALS.filter((goal) => wanted(goal.id, options) && canMeasure(goal)).map((goal) => (options.quick ? quick(goal) : goal));
    if (options.profile) return await profileAll(browser, goals, world, options);
    const measured = await measureAll(browser, goals, world, options);
    await report(measured, options);
    return Object.keys(measured.failures).length === 0 ? 0 : 1;
  } finally {
    await browser.close();
    await server.dispose();
    await direct?.dispose();
    await site.stop();
  }
}

/** Whether a nats-server sends several messages for one request, since 2.11. */
function hasDirectGet(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 11);
}

function wanted(id: string, { only }: Options): boolean {
  return only.length === 0 || only.some((part) => id.includes(part));
}

async function measureAll(browser: Browser, goals: readonly Goal[], world: World, options: Options): Promise<Measured> {
  const page = await browser.open();
  const results: Result[] = [];
  const failures: Record<string, string> = {};
  let app: AppSize | undefined;
  const where = await conditions(options.engine, browser.version, options.incognito);
  console.log(`\n${describe(where)}\n`);
  for (const goal of goals) {
    try {
      const { sizes, ...turns } = await measure(browser, page, goal, world);
      app ??= sizes;
      const result = resultOf(goal, turns);
      results.push(result);
      console.log(cells(goal, result).join("  "));
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

async function measure(browser: Browser, page: BenchPage, goal: Goal, world: World): Promise<Turns> {
  if (goal.id === "heap") return measureHeap(browser, page, world, goal);
  if (BLOCKING.includes(goal.id)) return measureBlocking(browser, page, world.servers, goal);
  if (goal.id === "size") {
    const { ours, peer } = await measureSize();
    return { ours: [ours.entry], peer: [peer.entry], sizes: ours };
  }
  return page.evaluate(([goal, world]) => bench.run(goal, world), [goal, world] as const);
}

async function profileAll({ open }: Browser, goals: readonly Goal[], world: World, { engine }: Options): Promise<number> {
  const page = await open();
  console.log(await page.evaluate((servers) => bench.timeline(servers), world.servers));
  if (engine !== "chromium") return 0; // profiles come over its DevTools
  for (const goal of goals) if (!["heap", "size", ...BLOCKING].includes(goal.id)) console.log(`\n${await profile(page, goal, world)}`);
  return 0;
}

async function report(measured: Measured, options: Options): Promise<void> {
  const { results, failures, app, comparison } = measured;
  console.log(
    `\n${plainTable(
      HEADINGS,
      results.map((result) => cells(result.goal, result)),
    )}`,
  );
  if (app !== undefined) console.log(`\n${lazyChunks(app)}`);
  if (comparison !== undefined) console.log(`\n${plainTable(...comparisonTable(comparison))}`);
  for (const [id, error] of Object.entries(failures)) console.log(`\n${id} could not be measured: ${error}`);

  const json = resolve(root, options.json);
  await writeJson(json, measured);
  console.log(`\n${json} has every turn.`);

  if (options.quick || options.incognito || options.only.length > 0) return;
  await keepRecord(options.engine, measured);
  await rewriteDocs();
}

async function rewriteDocs(): Promise<void> {
  const records = await readRecords();
  if (records.chromium !== undefined) await writeFile(resolve(root, "docs/performance.svg"), chart(records.chromium));
  await rewriteMeasured(resolve(root, "docs/PERFORMANCE.md"), documentOf(records));
  console.log("docs/PERFORMANCE.md and docs/performance.svg have been rewritten.");
}
