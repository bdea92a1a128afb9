import type { TransportListener } from "../network/transport.ts";
import type { Clock } from "../util/clock.ts";
import { backoffMs } from "./backoff.ts";

export interface ReachabilityPorts {
  readonly clock: Clock;
  /** All servers are on loopback: they can be reached while the browser says that it is offline. */
  readonly isLoopback: boolean;
  readonly countPending: () => Promise<number>;
  readonly onOffline: (error: Error, pending: number) => void;
  readonly onOnline: (pending: number) => void;
  readonly onFailure: () => void;
  /** A connection was opened after an attempt to connect had failed. */
  readonly onReachable: () => void;
}

/**
 * Whether the server can be reached, as far as this tab knows. Dispatches `offline` and `online`, and counts backoff steps:
 * a step begins with a request to publish, and ends when the next attempt is due.
 */
export class Reachability implements TransportListener {
  readonly #ports: ReachabilityPorts;
  /** Failed steps since the server has last answered. */
  #failures = 0;
  /** No attempt is due before, as `clock.monotonic()` counts. */
  #dueAt = 0;
  /** The last attempt to connect has failed. */
  #isUnreachable = false;
  /** The attempt of this step has failed, and the server has not answered since. */
  attemptFailed = false;
  /** The last event was `offline`. */
  isReportedOffline = false;
  /** Resolves when the `offline` event of the last failure has been dispatched. */
  reported: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(ports: ReachabilityPorts) {
    this.#ports = ports;
  }

  /** Whether a write is queued without an attempt to publish it. */
  get isOffline(): boolean {
    return this.#browserIsOffline() || (this.#isUnreachable && this.msUntilDue > 0);
  }

  /** Time until the next attempt is due. */
  get msUntilDue(): number {
    return Math.max(0, this.#dueAt - this.#ports.clock.monotonic());
  }

  /** Allows one attempt, whatever has failed before. */
  beginStep(): void {
    this.attemptFailed = false;
  }

  /** Delays the next attempt. Failures before it is due count as one. */
  backOff(): void {
    if (this.msUntilDue > 0) return;
    const { clock } = this.#ports;
    this.#failures++;
    this.#dueAt = clock.monotonic() + backoffMs(this.#failures, clock.random());
  }

  connected(): void {
    if (!this.#isUnreachable) return;
    this.#isUnreachable = false;
    this.#ports.onReachable();
  }

  answered(): void {
    this.#failures = 0;
    this.#dueAt = 0;
    this.attemptFailed = false;
    if (!this.isReportedOffline) return;
    this.isReportedOffline = false;
    // In a later task, when the answered writes are settled: the event must not count them.
    this.#ports.clock.setTimer(() => void this.#reportOnline().catch(() => undefined), 0);
  }

  unreachable(error: Error): void {
    this.#fail(error, true);
  }

  broken(error: Error): void {
    this.#fail(error, false);
  }

  browserOffline(): void {
    if (this.#browserIsOffline()) this.#reportOffline(new Error("The browser is offline."));
  }

  /** Ignores later failures. Resolves when the last `offline` event has been dispatched. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.reported;
  }

  #fail(error: Error, isUnreachable: boolean): void {
    if (this.#isStopped) return;
    this.#isUnreachable ||= isUnreachable;
    this.attemptFailed = true;
    this.backOff();
    this.#reportOffline(error);
    this.#ports.onFailure();
  }

  #reportOffline(error: Error): void {
    this.isReportedOffline = true;
    this.reported = this.#ports.countPending().then(
      (pending) => this.#ports.onOffline(error, pending),
      () => undefined,
    );
  }

  /** Must not report a server that has failed again since it answered. */
  async #reportOnline(): Promise<void> {
    const pending = await this.#ports.countPending();
    if (!this.isReportedOffline) this.#ports.onOnline(pending);
  }

  #browserIsOffline(): boolean {
    return !this.#ports.isLoopback && (globalThis.navigator as Navigator | undefined)?.onLine === false;
  }
}
