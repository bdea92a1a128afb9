import type { Goal } from "../catalogue.ts";

/** One side's turn. @returns milliseconds of each call, or of all concurrent calls together */
export type Turn = () => Promise<number>;

/** Two sides of a row, ready to take turns. */
export interface Contest {
  readonly ours: Turn;
  readonly peer: Turn;
  /** Closes their stores and connections. */
  end(): Promise<unknown>;
}

/** Runs ours, peer, ours, peer … @returns the times without the warm-up rounds */
export async function takeTurns(
  { ours, peer }: Pick<Contest, "ours" | "peer">,
  { rounds, warmUps }: Pick<Goal, "rounds" | "warmUps">,
): Promise<{ ours: number[]; peer: number[] }> {
  const taken = { ours: [] as number[], peer: [] as number[] };
  for (let round = -warmUps; round < rounds; round++) {
    await quiet();
    const a = await ours();
    await quiet();
    const b = await peer();
    if (round < 0) continue;
    taken.ours.push(a);
    taken.peer.push(b);
  }
  return taken;
}

/** Calls made one after another. @returns milliseconds of each */
export async function inSequence(calls: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < calls; n++) await call(n);
  return (performance.now() - start) / calls;
}

/** Makes all calls at once. @returns milliseconds until the last is done */
export async function atOnce(calls: number, call: (n: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await Promise.all(Array.from({ length: calls }, (_, n) => call(n)));
  return performance.now() - start;
}

/** Makes calls at once, up to a limit of concurrent ones. @returns milliseconds until the last is done */
export async function atOnceUpTo(width: number, calls: number, call: (n: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < calls) await call(next++);
  };
  return atOnce(Math.min(width, calls), lane);
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  return atOnce(1, work);
}

/** Runs the work. @returns milliseconds of the longest time for which the page could run no other task */
export async function longestTask(work: () => Promise<unknown>): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  let last = performance.now();
  let longest = 0;
  port1.onmessage = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    port2.postMessage(null);
  };
  port2.postMessage(null);
  await work();
  port1.close();
  return longest;
}

/** The deferred work of one side (closing, settling, garbage collection) must not run in the other side's turn. */
export async function quiet(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 60));
  await collectGarbage();
}

/** Does nothing in WebKitGTK, which offers no way. There, the pause must be enough. */
async function collectGarbage(): Promise<void> {
  const { gc, TestUtils } = globalThis as { gc?: () => void; TestUtils?: { gc(): Promise<void> } };
  gc?.(); // Chromium
  await TestUtils?.gc(); // Firefox
}
