import type { Clock } from "./clock.ts";

/** The outcome of the promise if it settles within `ms` milliseconds, else the outcome of `late`. The promise goes on. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    // A promise takes the error that `late` may throw.
    const timer = clock.setTimer(() => resolve(new Promise((settle) => settle(late()))), Math.max(0, ms));
    promise.finally(() => timer.cancel()).then(resolve, reject);
  });
}
