import type { CDPSession } from "@playwright/test";
import type { BenchPage } from "./browsers/browser.ts";
import type { Goal } from "./catalogue.ts";
import type { World } from "./page/rows.ts";

type Profile = Awaited<ReturnType<typeof stop>>;

const LISTED = 22;

/** A CPU profile of the page's main thread during the turns of our side of a row: functions by their own time. */
export async function profile(page: BenchPage, goal: Goal, world: World): Promise<string> {
  const session = await page.devTools();
  await session.send("Profiler.enable");
  await session.send("Profiler.setSamplingInterval", { interval: 200 });
  await page.evaluate(([goal, world]) => bench.prepareAlone(goal, world), [goal, world] as const);
  await session.send("Profiler.start");
  const ms = await page.evaluate((goal) => bench.runAlone(goal), goal);
  const recorded = await stop(session);
  await page.evaluate(() => bench.endAlone());
  await session.detach();
  return [`${goal.id}: ours, median ${ms.toFixed(3)} ms`, ...ownTimes(recorded)].join("\n");
}

async function stop(session: CDPSession) {
  return (await session.send("Profiler.stop")).profile;
}

function ownTimes({ nodes, samples = [], timeDeltas = [] }: Profile): string[] {
  const own = new Map<string, number>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  let total = 0;
  samples.forEach((id, index) => {
    const frame = byId.get(id)?.callFrame;
    const time = timeDeltas[index] ?? 0;
    const file = frame?.url.split("/").at(-1) ?? "";
    const name = `${frame?.functionName || "(anonymous)"}${file ? ` ${file}:${(frame?.lineNumber ?? 0) + 1}` : ""}`;
    own.set(name, (own.get(name) ?? 0) + time);
    total += time;
  });
  return [...own]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, LISTED)
    .map(([name, time]) => `  ${((time / total) * 100).toFixed(1).padStart(5)} %  ${(time / 1000).toFixed(1).padStart(8)} ms  ${name}`);
}
