import { NASKeyStore } from "nas-keystore";
import type { Goal } from "../catalogue.ts";
import { spread } from "../measure.ts";
import { compareAll } from "./comparison.ts";
import { filledNamespace } from "./filled.ts";
import { groupedKey, pairs } from "./payload.ts";
import { startReading, stopReading } from "./reading.ts";
import { ROWS, type World } from "./rows.ts";
import { allConfirmed, allInvalidated, present } from "./stores.ts";
import { timeline } from "./timeline.ts";
import { takeTurns, timed, type Contest } from "./turns.ts";

let alone: Contest | undefined;

/** The functions that the driver calls in the page, as `bench.…`. */
export const bench = {
  /** Milliseconds of each turn that counts. */
  async run(goal: Goal, world: World): Promise<{ ours: number[]; peer: number[] }> {
    const row = ROWS[goal.id];
    if (row === undefined) throw new Error(`There is no row "${goal.id}".`);
    const contest = await row(goal, world);
    try {
      return await takeTurns(contest, goal);
    } finally {
      await contest.end();
    }
  },

  /** Prepares our side of a row for a profile, which does not include the preparation. */
  async prepareAlone(goal: Goal, world: World): Promise<void> {
    alone = await ROWS[goal.id]?.(goal, world);
    await alone?.ours();
  },

  /** Milliseconds of a turn, the median. */
  async runAlone({ rounds }: Goal): Promise<number> {
    if (alone === undefined) throw new Error("Nothing was prepared.");
    const { ours } = alone;
    const taken: number[] = [];
    for (let round = 0; round < rounds; round++) taken.push(await ours());
    return spread(taken).median;
  },

  endAlone: async (): Promise<unknown> => alone?.end(),

  timeline,
  compareAll,
  filledNamespace,

  startReading,
  stopReading,

  /** @returns milliseconds */
  async bulkInto(servers: string, namespace: string, entries: number): Promise<number> {
    await using store = new NASKeyStore({ servers, namespace, timeoutMs: 600_000 });
    const items = pairs(entries);
    return timed(() => allConfirmed(store.bulkStore(items), entries));
  },

  /** Stores entries with a tag. @returns once they are settled */
  async storeTagged(servers: string, namespace: string, entries: number): Promise<void> {
    await using store = new NASKeyStore({ servers, namespace, timeoutMs: 600_000 });
    await allConfirmed(store.bulkStore(pairs(entries), { tags: ["bench"] }), entries);
  },

  async invalidateTagged(servers: string, namespace: string, entries: number): Promise<void> {
    await using store = new NASKeyStore({ servers, namespace });
    await allInvalidated(store, entries);
  },

  /** Opens a store that was filled, reads one key of it, and keeps it. */
  async openAndRead(servers: string, namespace: string): Promise<void> {
    const store = new NASKeyStore({ servers, namespace });
    present(await store.retrieve(groupedKey(0)));
    Object.assign(globalThis, { kept: store });
  },
};

Object.assign(globalThis, { bench });
document.body.dataset["ready"] = "true";
