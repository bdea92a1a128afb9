import { setTimeout as sleep } from "node:timers/promises";
import type { BenchPage, Browser } from "./browsers/browser.ts";
import type { Goal } from "./catalogue.ts";

const IDLE_MS = 5_000;

/** The rows that `measureBlocking` measures. */
export const BLOCKING: readonly string[] = ["blocked", "invalidate-blocked"];

/** The longest read in one tab, in milliseconds: while another tab stores or invalidates very many entries, and while it is idle. */
export async function measureBlocking(
  { open }: Browser,
  writing: BenchPage,
  servers: string,
  { id, calls, rounds }: Goal,
): Promise<{ ours: number[]; peer: number[] }> {
  const longest = async (meanwhile: (namespace: string) => Promise<unknown>): Promise<number> => {
    const reading = await open();
    const namespace = `bench-${crypto.randomUUID()}`;
    if (id === "invalidate-blocked") {
      await writing.evaluate(([servers, namespace, calls]) => bench.storeTagged(servers, namespace, calls), [
        servers,
        namespace,
        calls,
      ] as const);
    }
    await reading.evaluate(([servers, namespace]) => bench.startReading(servers, namespace), [servers, namespace] as const);
    await meanwhile(namespace);
    const ms = await reading.evaluate(() => bench.stopReading());
    await reading.close();
    return ms;
  };
  const write = (namespace: string): Promise<unknown> =>
    id === "blocked"
      ? writing.evaluate(([servers, namespace, calls]) => bench.bulkInto(servers, namespace, calls), [servers, namespace, calls] as const)
      : writing.evaluate(([servers, namespace, calls]) => bench.invalidateTagged(servers, namespace, calls), [
          servers,
          namespace,
          calls,
        ] as const);

  const taken = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    taken.ours.push(await longest(write));
    taken.peer.push(await longest(() => sleep(IDLE_MS)));
  }
  return taken;
}
