import type { Clock } from "../util/clock.ts";

/** Web Locks. Without them (old browsers, forbidden storage) a tab works as if it were alone. */
export function lockManager(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/** A page that has held a lock for this long loses it to another: its tab is paused, or hangs. */
export const TAKEOVER_MS = 15_000;

/**
 * Does the work under a lock, so that no other tab does it at the same time. Takes the lock over from a page that has held it for
 * TAKEOVER_MS. That page may still run, or run again: it must stop by itself before then.
 * @param signal ends the wait
 * @returns false: the wait was ended, and nothing was done
 */
export async function exclusively(name: string, work: () => Promise<void>, clock: Clock, signal?: AbortSignal): Promise<boolean> {
  const locks = lockManager();
  if (locks === undefined) return work().then(() => true);
  let working: Promise<void> | undefined;
  let failure: unknown;
  /** Aborted once there is nothing to wait for. */
  const waiting = new AbortController();
  signal?.addEventListener("abort", () => waiting.abort(), { signal: waiting.signal });
  if (signal?.aborted === true) waiting.abort();
  const run = (): Promise<void> => {
    waiting.abort();
    return (working ??= work());
  };
  const request = (options: LockOptions): Promise<void> =>
    // Also rejects when the lock is taken over, while the work of this tab may go on.
    locks.request(name, options, run).catch((error: unknown) => {
      if (!waiting.signal.aborted) failure = error;
      waiting.abort();
    });

  const requested = request({ signal: waiting.signal });
  if (await isHeldTooLong(name, clock, waiting.signal)) await request({ steal: true });
  await requested;
  if (isForbidden(failure)) await run();
  else if (failure !== undefined) throw failure;
  await working;
  return working !== undefined;
}

/** Does the work under a lock, or nothing while another tab holds the lock. */
export async function unlessElsewhere(name: string, work: () => Promise<void>): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

/** Whether one page holds a lock for TAKEOVER_MS. False: the signal was aborted before. */
async function isHeldTooLong(name: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  let holder = await holderOf(name);
  while (!signal.aborted) {
    await pause(clock, TAKEOVER_MS, signal);
    const present = signal.aborted ? undefined : await holderOf(name);
    // Requests are granted in order: a page that is found twice while a request waits has not let go of the lock.
    if (present !== undefined && present === holder && !signal.aborted) return true;
    holder = present;
  }
  return false;
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
