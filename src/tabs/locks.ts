import type { Clock } from "../util/clock.ts";

/** Web Locks. Without them (old browsers, forbidden storage) a tab works as if it were alone. */
export function lockManager(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/**
 * Does the work under a lock, so that no other tab does it at the same time.
 * @returns false: the lock was not granted within `waitMs`, and nothing was done
 */
export async function exclusively(name: string, work: () => Promise<void>, waitMs: number, clock: Clock): Promise<boolean> {
  const locks = lockManager();
  const waiting = new AbortController();
  const timer = clock.setTimer(() => waiting.abort(), waitMs);
  let hasBegun = false;
  const run = async (): Promise<void> => {
    hasBegun = true;
    timer.cancel();
    await work();
  };
  try {
    await (locks === undefined ? run() : locks.request(name, { signal: waiting.signal }, run));
  } catch (error) {
    if (!hasBegun && isForbidden(error)) await run();
    else if (hasBegun || !waiting.signal.aborted) throw error;
  }
  return hasBegun;
}

/** Does the work under a lock, or nothing while another tab holds the lock. */
export async function unlessElsewhere(name: string, work: () => Promise<void>): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

/** Where the user forbids the site to store data, Firefox has Web Locks, but each use rejects with a SecurityError. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && error.name === "SecurityError";
}
