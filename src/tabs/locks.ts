import { unlessAborted } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";

/** Web Locks. Without them (old browsers, forbidden storage) a tab works as if it were alone. */
export function lockManager(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/** A page that has held a lock for this long loses it to another: its tab is paused, or hangs. */
export const TAKEOVER_MS = 15_000;

/**
 * Work under a lock.
 * @param lost aborted once another tab has taken the lock over. Undefined where there are no locks
 */
export type Exclusive = (lost?: AbortSignal) => Promise<void>;

/**
 * Does the work under a lock, so that no other tab does it at the same time. Takes the lock over from a page that has held it for
 * TAKEOVER_MS. That page may still run, or run again: it must stop by itself before then.
 * @param signal ends the wait
 * @returns false: the wait was ended, and nothing was done
 */
export async function exclusively(name: string, work: Exclusive, clock: Clock, signal?: AbortSignal): Promise<boolean> {
  const locks = lockManager();
  if (locks === undefined) return work().then(() => true);
  let working: Promise<void> | undefined;
  let failure: unknown;
  /** Aborted once there is nothing to wait for. */
  const waiting = new AbortController();
  const lost = new AbortController();
  signal?.addEventListener("abort", () => waiting.abort(), { signal: waiting.signal });
  if (signal?.aborted === true) waiting.abort();
  const run = (): Promise<void> => {
    waiting.abort();
    return (working ??= work(lost.signal));
  };
  const request = (options: LockOptions): Promise<void> =>
    // Also rejects when the lock is taken over, while the work of this tab may go on.
    locks.request(name, options, run).catch((error: unknown) => {
      if (working !== undefined) lost.abort();
      if (!waiting.signal.aborted) failure = error;
      waiting.abort();
    });

  const requested = request({ signal: waiting.signal });
  await takeOver(name, clock, waiting.signal, () => request({ steal: true }));
  await requested;
  if (isForbidden(failure)) await run();
  else if (failure !== undefined) throw failure;
  await working;
  return working !== undefined;
}

/**
 * `exclusively` for the engines of one page: the page asks for a lock once at a time. Other tabs see pages, not engines, and would take
 * turns of two engines for one that lasts too long.
 */
export function inPageTurns(clock: Clock): (name: string, work: Exclusive, signal?: AbortSignal) => Promise<boolean> {
  const latest = new Map<string, Promise<unknown>>();
  return (name, work, signal) => {
    const before = latest.get(name) ?? Promise.resolve();
    const turn = unlessAborted(before, signal, () => undefined).then(() => exclusively(name, work, clock, signal));
    latest.set(name, Promise.allSettled([before, turn]));
    return turn;
  };
}

/** Does the work under a lock, or nothing while another tab holds the lock. */
export async function unlessElsewhere(name: string, work: () => Promise<void>): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

/** Does the work under a lock. Does not wait longer than `patienceMs` for the lock, which a paused tab may hold: then works without it. */
export async function preferablyAlone<T>(name: string, work: () => Promise<T>, clock: Clock, patienceMs: number): Promise<T> {
  const locks = lockManager();
  if (locks === undefined) return work();
  const waiting = new AbortController();
  const timer = clock.setTimer(() => waiting.abort(), patienceMs);
  let working: Promise<T> | undefined;
  const run = (): Promise<T> => {
    timer.cancel();
    return (working = work());
  };
  await locks.request(name, { signal: waiting.signal }, run).catch(() => timer.cancel());
  return working ?? work();
}

/** Takes a lock over from a page that holds it for TAKEOVER_MS. Ends when the signal is aborted, at the latest when the lock is granted. */
async function takeOver(name: string, clock: Clock, signal: AbortSignal, steal: () => Promise<void>): Promise<void> {
  let holder = await holderOf(name);
  while (!signal.aborted) {
    await pause(clock, TAKEOVER_MS, signal);
    const before = holder;
    holder = signal.aborted ? undefined : await holderOf(name);
    // Requests are granted in order: a page that is found twice while a request waits has not let go of the lock.
    if (holder === undefined || holder !== before) continue;
    // One tab at a time, until it holds the lock: the next one must look again, lest it takes the lock from that tab.
    await unlessElsewhere(`${name}/takeover`, async () => {
      if ((await holderOf(name)) !== before || signal.aborted) return;
      void steal();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
  }
}

/** The page that holds a lock. */
async function holderOf(name: string): Promise<string | undefined> {
  const { held = [] } =
    (await lockManager()
      ?.query()
      .catch(() => undefined)) ?? {};
  return held.find((lock) => lock.name === name)?.clientId;
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, ms);
    signal.addEventListener("abort", () => {
      timer.cancel();
      resolve();
    });
  });
}

/** Where the user forbids the site to store data, Firefox has Web Locks, but each use rejects with a SecurityError. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && error.name === "SecurityError";
}
