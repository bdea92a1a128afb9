import { setTimeout as sleep } from "node:timers/promises";
import type { BenchPage, Browser } from "./browsers/browser.ts";
import type { Goal } from "./catalogue.ts";

const IDLE_MS = 5_000;

/** The longest read in one tab, in milliseconds: while another tab stores very many entries, and while it is idle. */
export async function measureBlocking(
  { open }: Browser,
  writing: BenchPage,
  servers: string,
  { calls, rounds }: Goal,
): Promise<{ ours: number[]; peer: number[] }> {
  const longest = async (meanwhile: (namespace: string) => Promise<unknown>): Promise<number> => {
    const reading = await open();
    const namespace = await reading.evaluate((servers) => bench.startReading(servers), servers);
    await meanwhile(namespace);
    const ms = await reading.evaluate(() => bench.stopReading());
    await reading.close();
    return ms;
  };
  const write = (namespace: string): Promise<number> =>
    writing.evaluate(([servers, namespace, calls]) => bench.bulkInto(servers, namespace, calls), [servers, namespace, calls] as const);

  const taken = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    taken.ours.push(await longest(write));
    taken.peer.push(await longest(() => sleep(IDLE_MS)));
  }
  return taken;
}
