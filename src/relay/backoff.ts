const FIRST_MS = 1_000;
const MOST_MS = 60_000;

/**
 * The pause after the n-th failure in a row: exponential, with full jitter, so that the clients of a server that starts again
 * do not all connect at once.
 * @param failures 1, 2, 3 …
 * @param random from 0 to 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, random: number): number {
  return random * Math.min(MOST_MS, FIRST_MS * 2 ** (failures - 1));
}
