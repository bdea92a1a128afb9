const FIRST_MS = 1_000;
const MOST_MS = 60_000;

/**
 * How long to wait after the n-th failure in a row: exponential, with full jitter, so that the many clients of a server
 * that comes back do not come back together.
 * @param failures 1, 2, 3 …
 * @param random from 0 to 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, random: number): number {
  return random * Math.min(MOST_MS, FIRST_MS * 2 ** (failures - 1));
}
