import { isSafeId, wireSize, type Message } from "../model/envelope.ts";
import { isSafeSubject } from "../model/subject.ts";
import { asError } from "../util/errors.ts";
import type { Connection, Receipt } from "./connection.ts";
import { byDeadline, type Health, type SharedConnection } from "./shared-connection.ts";

/** What became of one message. */
export type Delivery =
  /** The server has read it. */
  | { readonly status: "confirmed" }
  /** The server refuses this message, now and later. */
  | { readonly status: "rejected"; readonly error: Error }
  /** Nobody knows; it is to be sent again. */
  | { readonly status: "failed"; readonly error: Error };

/** Publishes messages on the shared connection, and finds out what the server says of each. */
export class Publisher {
  readonly #connection: SharedConnection;
  readonly #timeoutMs: number;
  readonly #health: Pick<Health, "worked" | "broken">;

  constructor(sharedConnection: SharedConnection, health: Pick<Health, "worked" | "broken">, timeoutMs: number) {
    this.#connection = sharedConnection;
    this.#health = health;
    this.#timeoutMs = timeoutMs;
  }

  /** Publishes messages together, with one flush, by the deadline. Never rejects. */
  async publish(messages: readonly Message[]): Promise<Delivery[]> {
    const receipts: Receipt[] = [];
    const failure = await this.#exchange(messages, receipts);
    return messages.map((_, index) => {
      const refusal = receipts[index]?.refusal;
      if (refusal !== undefined) return { status: "rejected", error: refusal };
      return failure === undefined ? { status: "confirmed" } : { status: "failed", error: failure };
    });
  }

  /** Whether a server answers. Never rejects. */
  async ping(): Promise<boolean> {
    return (await this.#exchange([], [])) === undefined;
  }

  /** Fills in the receipts; returns why the server is not known to have read everything. */
  async #exchange(messages: readonly Message[], receipts: Receipt[]): Promise<Error | undefined> {
    const share = this.#connection.acquire();
    let connected = false;
    try {
      const connection = await share.connect();
      connected = true;
      for (const message of messages) receipts.push(send(connection, message));
      await byDeadline(share.deadline, connection.roundTrip(), this.#timeoutMs);
      this.#health.worked();
      return undefined;
    } catch (thrown) {
      const error = asError(thrown);
      if (connected) {
        share.discard();
        this.#health.broken(error);
      }
      return error;
    } finally {
      share.release();
    }
  }
}

/** Must check subject and id here, whatever was checked before: clients send one with CRLF in it as protocol, or as headers. */
function send(connection: Connection, message: Message): Receipt {
  if (!isSafeSubject(message.subject)) return { refusal: new Error("The key does not make a valid NATS subject.") };
  if (!isSafeId(message.id)) return { refusal: new Error("The write's id does not make a valid NATS header.") };
  const size = wireSize(message);
  if (size > connection.maxPayloadBytes) {
    return { refusal: new Error(`The message has ${size} bytes, the server takes at most ${connection.maxPayloadBytes}.`) };
  }
  return connection.publish(message);
}
