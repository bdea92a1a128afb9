import { systemClock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import type { Message } from "../model/envelope.ts";
import { backoffMs } from "./backoff.ts";
import type { Delivery } from "../network/publisher.ts";

/** One bounded batch of what waits to be published. */
export interface Batch {
  readonly messages: readonly Message[];
  /** Must write down, for each message, how it went. */
  settle(deliveries: readonly Delivery[]): void;
}

/** What the relay needs of the outbox. */
export interface Outbox {
  /**
   * What may be sent by this tab, batch by batch, as long as `send` says true; nobody else sends it meanwhile.
   * @returns false: something is left that another tab is sending at this moment
   */
  drain(send: (batch: Batch) => Promise<boolean>): Promise<boolean>;
  /** How many writes wait. */
  pending(): Promise<number>;
}

export interface RelayOptions {
  /** Whether to do anything that is not asked for: timers would keep a server's process alive. */
  readonly background: boolean;
  /** Servers on loopback can be reached when the browser says that it is offline. */
  readonly loopback: boolean;
  /** How long one attempt takes at most. */
  readonly timeoutMs: number;
  readonly publish: (messages: readonly Message[]) => Promise<Delivery[]>;
  readonly onOffline: (error: Error, pending: number) => void;
  readonly onOnline: (pending: number) => void;
}

/** What a drain did. */
export interface Drained {
  readonly published: number;
  /** The server could not be reached, or did not answer. */
  readonly failed: boolean;
}

/**
 * Publishes what waits in the outbox: at start, when the network or the page comes back, and again and again after
 * failures. Must make one attempt a backoff step, however many writes wait.
 */
export class Relay {
  readonly #outbox: Outbox;
  readonly #options: RelayOptions;
  /** Failures since the last success. */
  #failures = 0;
  /** No attempt is due before, as `performance.now()` tells time. */
  #dueAt = 0;
  /** No connection could be opened: until the next attempt is due, writes do not wait for one. */
  #unreachable = false;
  /** An attempt has failed since the last call of `drain`, and the server has not answered since. */
  #failedSinceAsked = false;
  /** What the last event said. */
  #isOnline = true;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #draining: Promise<Drained> | undefined;
  /** Something came to wait during the drain. */
  #again = false;
  /** The server may be back: the next drain that finds nothing to send asks it. */
  #looks = false;
  /** The `offline` event of the last failure, which is dispatched once the waiting writes are counted. */
  #reported: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(outbox: Outbox, options: RelayOptions) {
    this.#outbox = outbox;
    this.#options = options;
  }

  /** Whether a write is to be queued without an attempt to publish it. */
  get isOffline(): boolean {
    return this.#browserIsOffline() || (this.#unreachable && performance.now() < this.#dueAt);
  }

  /** Resolves when the `offline` event of the last failure has been dispatched. */
  get reported(): Promise<void> {
    return this.#reported;
  }

  /** Publishes what waits, in the background. */
  kick(): void {
    if (this.#isStopped || !this.#options.background) return;
    this.drain().catch(() => {
      // The storage failed; perhaps it heals.
      this.#retryNotAtOnce();
    });
  }

  /** As `kick`, at a moment when the server may be back. */
  wake(): void {
    this.#looks = !this.#isOnline;
    this.kick();
  }

  /** Another tab has reached the server, perhaps with all that waits here: this one looks too, when its next attempt is due. */
  reachedElsewhere(): void {
    if (this.#isOnline) return;
    this.#looks = true;
    this.retryLater();
  }

  /** Publishes what waits, now. Joins a drain that is under way, and has it look again for what it has passed by. */
  drain(): Promise<Drained> {
    this.#failedSinceAsked = false;
    this.#again = this.#draining !== undefined;
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  /** Tries at once, whatever was tried before: a drain that was under way may have been in vain before the call. */
  async flush(): Promise<Drained> {
    this.#looks = !this.#isOnline;
    const joins = this.#draining !== undefined;
    const deadline = performance.now() + this.#options.timeoutMs;
    const joined = await this.drain();
    if (!joins || !joined.failed) return joined;
    const again = this.drain().then(({ published, failed }) => ({ published: joined.published + published, failed }));
    return within(systemClock, deadline - performance.now(), again, () => joined);
  }

  /** The server has read what was sent. */
  worked(): void {
    this.#failures = 0;
    this.#failedSinceAsked = false;
    this.#announceOnline();
  }

  /** A connection was opened. */
  connected(): void {
    if (!this.#unreachable) return;
    this.#unreachable = false;
    this.#announceOnline();
    this.kick();
  }

  /** The browser says that it has no network. */
  browserOffline(): void {
    if (this.#browserIsOffline()) this.#announceOffline(new Error("The browser is offline."));
  }

  /**
   * An attempt failed.
   * @param unreachable no connection could be opened
   */
  failed(error: Error, unreachable: boolean): void {
    if (this.#isStopped) return;
    this.#unreachable ||= unreachable;
    this.#failedSinceAsked = true;
    this.#backOff();
    this.#announceOffline(error);
    this.retryLater();
  }

  /** Makes sure that there is a next attempt while writes wait. */
  retryLater(): void {
    if (this.#isStopped || !this.#options.background) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.kick(), Math.max(0, this.#dueAt - performance.now()));
  }

  /** Ends what goes on in the background; resolves when the drain under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#draining?.catch(() => undefined);
  }

  async #drain(): Promise<Drained> {
    // One turn later, so that #draining holds this promise before it can end.
    await Promise.resolve();
    let published = 0;
    try {
      for (;;) {
        let failed = false;
        const isComplete = await this.#outbox.drain(async ({ messages, settle }) => {
          // One attempt in each backoff step: that of a lone write may have failed while the outbox was read.
          failed = this.#failedSinceAsked;
          if (failed) return false;
          const deliveries = await this.#options.publish(messages);
          settle(deliveries);
          published += deliveries.filter(({ status }) => status === "confirmed").length;
          failed = deliveries.some(({ status }) => status === "failed");
          return !failed && !this.#isStopped;
        });
        if (failed || !isComplete) this.#retryNotAtOnce();
        // Nothing was sent that would have told.
        if (this.#looks && !failed && !this.#isOnline && !this.#isStopped) await this.#options.publish([]);
        this.#looks = false;
        if (failed || this.#isStopped || !this.#again) return { published, failed };
        this.#again = false;
      }
    } finally {
      // Must follow the last look at #again without a turn between, in which a kick could come and be lost.
      this.#draining = undefined;
    }
  }

  /** What could not be sent now is tried again, though nobody says when that makes sense. */
  #retryNotAtOnce(): void {
    this.#backOff();
    this.retryLater();
  }

  /** One step, however many fail before its end. */
  #backOff(): void {
    if (performance.now() < this.#dueAt) return;
    this.#failures++;
    this.#dueAt = performance.now() + backoffMs(this.#failures, Math.random());
  }

  #announceOffline(error: Error): void {
    this.#isOnline = false;
    this.#reported = this.#outbox.pending().then(
      (pending) => this.#options.onOffline(error, pending),
      () => undefined,
    );
  }

  #announceOnline(): void {
    if (this.#isOnline) return;
    this.#isOnline = true;
    // In a task of its own: what was sent with the message that worked is settled by then, and not counted.
    setTimeout(() => void this.#outbox.pending().then(this.#options.onOnline, () => undefined), 0);
  }

  #browserIsOffline(): boolean {
    return !this.#options.loopback && (globalThis.navigator as Navigator | undefined)?.onLine === false;
  }
}
