/**
 * Time and randomness. Every part that needs them takes a clock, so that a test can move time. Random ids come from `crypto`
 * instead (random-id.ts): no behaviour depends on their value.
 */
export interface Clock {
  /** Wall time, in milliseconds since the epoch. It may jump in either direction. */
  now(): number;
  /** Milliseconds since a fixed moment. It never goes back. For deadlines. */
  monotonic(): number;
  /** Calls back once, after `ms` milliseconds or later. */
  setTimer(callback: () => void, ms: number): Timer;
  /** From 0 to 1, 1 excluded. */
  random(): number;
}

export interface Timer {
  /** Does nothing once the timer has fired. */
  cancel(): void;
}

/** The clock of the browser. It looks up the globals at every call: a page may replace them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
};
