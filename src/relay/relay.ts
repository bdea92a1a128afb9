import type { Transport } from "../network/transport.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import type { Drained, DrainOptions, PublishBatch } from "./outbox-drain.ts";
import type { Reachability } from "./reachability.ts";

export interface RelayPorts {
  readonly clock: Clock;
  /** Whether to publish without a call of `flush`. Outside a browser timers would keep the process alive. */
  readonly inBackground: boolean;
  /** The limit for one attempt. */
  readonly timeoutMs: number;
  readonly reachability: Readonly<Pick<Reachability, "attemptFailed" | "backOff" | "beginStep" | "isReportedOffline" | "msUntilDue">>;
  readonly transport: Pick<Transport, "ping" | "publish">;
  /** Publishes the outbox once. */
  readonly drainOutbox: (publish: PublishBatch, options: DrainOptions) => Promise<Drained>;
}

export type Flushed = Pick<Drained, "published" | "failed">;

/**
 * Decides when to publish the outbox: at start, when the network or the page comes back, and with backoff after failures.
 * Must make one attempt per backoff step, however many writes wait.
 */
export class Relay {
  readonly #ports: RelayPorts;
  #timer: Timer | undefined;
  #draining: Promise<Flushed> | undefined;
  /** Resolves when the drain under way has its first turn: until then it waits for another tab. */
  #turn: Promise<void> = Promise.resolve();
  /** The outbox may have new writes: the drain under way is followed by another. */
  #again = false;
  /** The server may be back: a drain that finds nothing to publish sends a ping. */
  #mustPing = false;
  /** A flush was called: the drain makes an attempt of its own, also after the attempt of a single write has failed. */
  #mustTry = false;
  /** Aborted when the engine ends. */
  readonly #stopping = new AbortController();

  constructor(ports: RelayPorts) {
    this.#ports = ports;
  }

  /** Publishes the outbox now, in the background. */
  kick(): void {
    if (this.#stopping.signal.aborted || !this.#ports.inBackground) return;
    // A drain throws when the storage fails, which may pass.
    this.drain().catch(() => this.#backOff());
  }

  /** Like `kick`, at a moment when the server may be back. */
  wake(): void {
    this.#mustPing = this.#ports.reachability.isReportedOffline;
    this.kick();
  }

  /** Another tab has reached the server, and may have published this tab's writes: tries when the next attempt is due. */
  reachedElsewhere(): void {
    if (!this.#ports.reachability.isReportedOffline) return;
    this.#mustPing = true;
    this.retryLater();
  }

  /** Publishes the outbox now. Joins a drain under way, which then reads the outbox once more. */
  drain(): Promise<Flushed> {
    this.#ports.reachability.beginStep();
    this.#again = this.#draining !== undefined;
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  /**
   * Makes at least one attempt after the call: the attempt of a drain that it joins may have begun before. Waits at most `timeoutMs`
   * while another tab drains the outbox.
   */
  async flush(): Promise<Flushed> {
    const { clock, reachability, timeoutMs } = this.#ports;
    this.#mustPing = reachability.isReportedOffline;
    const joins = this.#draining !== undefined;
    const deadline = clock.monotonic() + timeoutMs;
    const first = await this.#drainAtAnyRate(deadline);
    if (!joins || !first.failed) return first;
    const both = this.#drainAtAnyRate(deadline).then(({ published, failed }) => ({ published: first.published + published, failed }));
    return within(clock, deadline - clock.monotonic(), both, () => first);
  }

  /** Makes sure that there is a next attempt, when it is due. */
  retryLater(): void {
    if (this.#stopping.signal.aborted || !this.#ports.inBackground) return;
    const { clock, reachability } = this.#ports;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(() => this.kick(), reachability.msUntilDue);
  }

  /** Ends the work in the background. Resolves when the drain under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#draining?.catch(() => undefined);
  }

  async #drainAtAnyRate(deadline: number): Promise<Flushed> {
    const { clock } = this.#ports;
    this.#mustTry = true;
    const draining = this.drain();
    const begun = Promise.race([this.#turn, draining]).then(() => true);
    const hasBegun = await within(clock, deadline - clock.monotonic(), begun, () => false);
    if (hasBegun) return draining;
    // It goes on in the background.
    draining.catch(() => undefined);
    return { published: 0, failed: true };
  }

  async #drain(): Promise<Flushed> {
    const { drainOutbox, reachability, transport } = this.#ports;
    const { signal } = this.#stopping;
    let onTurn!: () => void;
    this.#turn = new Promise((resolve) => (onTurn = resolve));
    // One turn later, so that #draining holds this promise before it can end.
    await Promise.resolve();
    let published = 0;
    try {
      for (;;) {
        const drained = await drainOutbox(this.#publish, { onTurn, signal });
        const { failed } = drained;
        published += drained.published;
        if (failed || !drained.isComplete) this.#backOff();
        if (this.#mustPing && !failed && reachability.isReportedOffline && this.#beginAttempt()) await transport.ping(true);
        this.#mustPing = false;
        if (failed || signal.aborted || !this.#again) return { published, failed };
        this.#again = false;
      }
    } finally {
      // Must follow the last check of #again in the same turn: a kick between them would be lost.
      this.#draining = undefined;
      this.#mustTry = false;
    }
  }

  readonly #publish: PublishBatch = async (messages, until) =>
    this.#beginAttempt() ? this.#ports.transport.publish(messages, until) : undefined;

  /** Whether an attempt may begin. The attempt of a single write may have failed while the outbox was read. */
  #beginAttempt(): boolean {
    const mayTry = !this.#stopping.signal.aborted && (this.#mustTry || !this.#ports.reachability.attemptFailed);
    if (mayTry) this.#mustTry = false;
    return mayTry;
  }

  #backOff(): void {
    this.#ports.reachability.backOff();
    this.retryLater();
  }
}
