import type { Clock } from "./clock.ts";

/** The promise's outcome if it comes within `ms` milliseconds, else what `late` returns or throws. The promise goes on. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(
      () => {
        try {
          resolve(late());
        } catch (error) {
          reject(error);
        }
      },
      Math.max(0, ms),
    );
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
