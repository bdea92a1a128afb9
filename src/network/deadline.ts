import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";

/**
 * The promise's outcome if it comes by the deadline.
 * @param deadline as `clock.monotonic()` counts
 * @param timeoutMs the time that the error names
 */
export function byDeadline<T>(clock: Clock, deadline: number, promise: Promise<T>, timeoutMs: number): Promise<T> {
  return within(clock, deadline - clock.monotonic(), promise, () => {
    throw new Error(`The server did not answer within ${timeoutMs} ms.`);
  });
}
