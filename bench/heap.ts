import type { BenchPage, Browser } from "./browsers/browser.ts";
import type { Goal } from "./catalogue.ts";
import type { World } from "./page/rows.ts";

const MEGABYTE = 2 ** 20;

/** The heap of a page, in MB, after it opened a large store and a small one: in turn, each in a new page. */
export async function measureHeap(
  { open }: Browser,
  filling: BenchPage,
  { servers, sizes }: World,
  { rounds, warmUps }: Goal,
): Promise<{ ours: number[]; peer: number[] }> {
  const fill = (entries: number): Promise<string> =>
    filling.evaluate(([servers, entries]) => bench.filledNamespace(servers, entries), [servers, entries] as const);
  const [large, small] = [await fill(sizes.large), await fill(sizes.small)];

  const held = async (namespace: string): Promise<number> => {
    const page = await open();
    await page.evaluate(([servers, namespace]) => bench.openAndRead(servers, namespace), [servers, namespace] as const);
    const session = await page.devTools();
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    await page.close();
    return usedSize / MEGABYTE;
  };
  const taken = { ours: [] as number[], peer: [] as number[] };
  for (let round = -warmUps; round < rounds; round++) {
    const [ours, peer] = [await held(large), await held(small)];
    if (round < 0) continue;
    taken.ours.push(ours);
    taken.peer.push(peer);
  }
  return taken;
}
