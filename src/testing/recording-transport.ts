import type { Message } from "../model/envelope.ts";
import type { PublishResult, Transport, TransportListener } from "../network/transport.ts";

/** Records calls. Its server does what a test says, and its listener hears of that. */
export class RecordingTransport implements Transport {
  maxMessageBytes = Infinity;
  /** The messages of each call of `publish`, a ping being an empty one. */
  readonly batches: (readonly Message[])[] = [];
  /** Operations that keep the connection open now. */
  uses = 0;
  /** Why the server cannot be reached; undefined: it answers. */
  failure: { readonly kind: "unreachable" | "broken"; readonly error: Error } | undefined;
  /** The server's answer to one message. */
  answer: (message: Message) => PublishResult = () => ({ status: "confirmed" });
  /** Calls wait for this before they get their answer. */
  held: Promise<void> = Promise.resolve();
  readonly #listener: TransportListener | undefined;
  #waiting: { readonly count: number; resolve(): void }[] = [];

  constructor(listener?: TransportListener) {
    this.#listener = listener;
  }

  /** The ids of the messages of each call. */
  get ids(): string[][] {
    return this.batches.map((batch) => batch.map(({ id }) => id));
  }

  /** Resolves when there have been so many calls of `publish` and `ping`. */
  called(count: number): Promise<void> {
    if (this.batches.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async publish(messages: readonly Message[]): Promise<PublishResult[]> {
    this.batches.push(messages);
    for (const { count, resolve } of this.#waiting) if (count <= this.batches.length) resolve();
    await this.held;
    const { failure } = this;
    if (failure === undefined) {
      this.#listener?.connected();
      this.#listener?.answered();
      return messages.map((message) => this.answer(message));
    }
    this.#listener?.[failure.kind](failure.error);
    return messages.map(() => ({ status: "unknown", error: failure.error }));
  }

  /** This server answers no requests. */
  use(): Promise<never> {
    return Promise.reject(this.failure?.error ?? new Error("no connection"));
  }

  async ping(): Promise<boolean> {
    await this.publish([]);
    return this.failure === undefined;
  }

  keepConnected(): () => void {
    this.uses++;
    return () => void this.uses--;
  }

  async close(): Promise<void> {
    this.uses = 0;
  }
}
