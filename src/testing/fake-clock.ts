import type { Clock, Timer } from "../util/clock.ts";

interface Pending {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** A clock that a test moves. Nothing happens by itself. */
export class FakeClock implements Clock {
  /** Wall time. A test may set it, in either direction. */
  wallTime = 1_700_000_000_000;
  /** What `random` returns. */
  chance = 0.5;
  #elapsed = 0;
  readonly #timers = new Set<Pending>();

  now(): number {
    return this.wallTime;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  random(): number {
    return this.chance;
  }

  setTimer(callback: () => void, ms: number): Timer {
    const timer: Pending = { dueAt: this.#elapsed + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that have neither fired nor been cancelled. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves wall time and monotonic time, and fires the timers on the way, each at its time. Promises settle after each timer. */
  async advance(ms: number): Promise<void> {
    // A timer that a settled promise cancels must not fire.
    await settled();
    const end = this.#elapsed + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#moveTo(Math.max(this.#elapsed, next.dueAt));
      this.#timers.delete(next);
      next.callback();
      await settled();
    }
    this.#moveTo(end);
    await settled();
  }

  #next(end: number): Pending | undefined {
    const due = [...this.#timers].filter(({ dueAt }) => dueAt <= end);
    return due.toSorted((a, b) => a.dueAt - b.dueAt)[0];
  }

  #moveTo(elapsed: number): void {
    this.wallTime += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

/** The longest delay by which stores group background work. */
const GROUPING_MS = 20;

/** A clock that a test moves. The short delays by which stores group background work end by themselves, in the next turn of the event loop. */
export class GroupingClock extends FakeClock {
  override setTimer(callback: () => void, ms: number): Timer {
    if (ms > GROUPING_MS) return super.setTimer(callback, ms);
    const turn = setImmediate(callback);
    return { cancel: () => clearImmediate(turn) };
  }
}

/** Promise callbacks that need nothing from outside have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
