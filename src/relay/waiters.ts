import type { PublishResult } from "../network/transport.ts";
import type { Clock } from "../util/clock.ts";

interface Waiter {
  readonly version: number;
  resolve(result: PublishResult): void;
}

/** The calls that wait for a write which another tab or the outbox drain publishes. */
export class Waiters {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #byKey = new Map<string, Set<Waiter>>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** The result of a write, or of a newer write of its key. Unknown after `timeoutMs`. */
  wait(key: string, version: number): Promise<PublishResult> {
    return new Promise((resolve) => {
      const waiters = this.#byKey.get(key) ?? new Set();
      this.#byKey.set(key, waiters);
      const end = (result: PublishResult): void => {
        timer.cancel();
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#byKey.get(key) === waiters) this.#byKey.delete(key);
        resolve(result);
      };
      const waiter: Waiter = { version, resolve: end };
      const late = (): void => end({ status: "unknown", error: new Error("An earlier write of this key has not been published in time.") });
      const timer = this.#clock.setTimer(late, this.#timeoutMs);
      waiters.add(waiter);
    });
  }

  /** A version of a key has a result: earlier versions share it. */
  tell(key: string, version: number, result: PublishResult): void {
    for (const waiter of this.#byKey.get(key) ?? []) if (waiter.version <= version) waiter.resolve(result);
  }

  tellAll(result: PublishResult): void {
    for (const waiters of this.#byKey.values()) for (const waiter of waiters) waiter.resolve(result);
  }
}
