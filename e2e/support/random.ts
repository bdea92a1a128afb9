/** Random numbers that are the same for the same seed. */
export interface Random {
  readonly seed: number;
  /** A number from 0 to below 1. */
  next(): number;
  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
  /** Another sequence, set by this one's next number: what it draws changes nothing here. */
  fork(): Random;
}

/** mulberry32: small, and good enough to choose moments and keys. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return { seed, next, int, pick: (list) => list[int(0, list.length - 1)]!, fork: () => seeded(Math.floor(next() * 2 ** 32)) };
}
