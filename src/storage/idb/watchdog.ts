import type { Clock, Timer } from "../../util/clock.ts";
import { isClosedConnection } from "./errors.ts";
import { readGeneration } from "./generation.ts";
import { abort, type Watch } from "./transaction.ts";

const CHECK_EVERY_MS = 5_000;

/**
 * Health checks that a connection may pass before a waiting transaction is aborted. Nothing in this library holds a table for 20 s.
 * Timers, and this count with them, stop while the machine sleeps.
 */
const MAX_PASSED_CHECKS = 3;

/**
 * Ends transactions that never end by themselves. Two cases are known. Chromium: when the site's data is cleared, a transaction may get
 * no event and its connection no `close`. WebKitGTK 2.50: a worker that is terminated in the middle of two transactions may block the
 * database for the others, while their connections answer.
 */
export class Watchdog {
  readonly #clock: Clock;
  /** The health check of each transaction under way. */
  readonly #checks = new Set<() => void>();
  /** One timer for all transactions: a timer for each costs too much for a read. It ends when no transaction is under way. */
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The outcome of a transaction. A transaction that does not end is aborted, and the promise rejects. */
  readonly watch: Watch = (transaction, outcome) =>
    new Promise((resolve, reject) => {
      let passed = 0;
      const pass = (): void => {
        if (++passed > MAX_PASSED_CHECKS) throw new DOMException("The transaction does not end.", "UnknownError");
      };
      const check = (): void => {
        readGeneration(transaction.db, this.#clock)
          .then(pass)
          .catch((error: unknown) => {
            // A connection that was closed still completes its transactions, but begins no new one.
            if (isClosedConnection(error) || !this.#checks.delete(check)) return;
            abort(transaction);
            reject(error);
          });
      };
      this.#checks.add(check);
      if (this.#timer === undefined) this.#setTimer();
      outcome.then(resolve, reject).finally(() => this.#checks.delete(check));
    });

  /** No transaction is under way, and none will be. */
  stop(): void {
    this.#timer?.cancel();
  }

  #setTimer(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      if (this.#checks.size > 0) this.#setTimer();
      for (const check of this.#checks) check();
    }, CHECK_EVERY_MS);
  }
}
