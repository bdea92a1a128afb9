import type { Message } from "../model/envelope.ts";
import type { Connection, Receipt, Request } from "../network/connection.ts";
import type { NatsClient } from "../network/nats-client.ts";
import { Replies } from "../network/replies.ts";

/** A connection whose server does what a test says. */
export class FakeConnection implements Connection {
  readonly published: Message[] = [];
  closes = 0;
  roundTrips = 0;
  maxPayloadBytes = Infinity;
  /** How the server answers a flush. */
  answer: () => Promise<void> = () => Promise.resolve();
  /** What it refuses. */
  refuses: (message: Message) => Error | undefined = () => undefined;
  serverVersion = "2.9.10";
  readonly closed = new Promise<never>(() => undefined);
  readonly replies = new Replies({ subscribe: () => ({ unsubscribe: () => undefined }) } as unknown as NatsClient, "_INBOX");
  end!: () => void;
  readonly ending = new Promise<void>((resolve) => (this.end = resolve));

  publish(message: Message, _request?: Request): Receipt {
    this.published.push(message);
    const refusal = this.refuses(message);
    return refusal === undefined ? {} : { refusal };
  }

  roundTrip(): Promise<void> {
    this.roundTrips++;
    return this.answer();
  }

  async close(): Promise<void> {
    this.closes++;
    this.end();
  }
}

/** A promise and what settles it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

export function messageTo(key: string, given: Partial<Message> = {}): Message {
  return { subject: `_kv.test.key.${key}`, data: new TextEncoder().encode("{}"), id: `id-${key}`, ...given };
}
