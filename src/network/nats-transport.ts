import { isSafeId, wireSize, type Message } from "../model/envelope.ts";
import { isSafeSubject } from "../model/subject.ts";
import { asError } from "../util/as-error.ts";
import type { Connection, Receipt } from "./connection.ts";
import { byDeadline, SharedConnection, type SharedConnectionOptions } from "./shared-connection.ts";
import type { PublishResult, Transport, TransportListener } from "./transport.ts";

/** Core NATS: messages are published on the shared connection, and confirmed by the PONG to a PING after them. */
export class NatsTransport implements Transport {
  readonly #connection: SharedConnection;
  readonly #listener: TransportListener;
  readonly #options: SharedConnectionOptions;
  /** As the last connection has reported it. */
  maxMessageBytes = Infinity;

  constructor(connect: () => Promise<Connection>, listener: TransportListener, options: SharedConnectionOptions) {
    const connected = ({ maxPayloadBytes }: Connection): void => {
      this.maxMessageBytes = maxPayloadBytes;
      listener.connected();
    };
    this.#connection = new SharedConnection(connect, { connected, unreachable: (error) => listener.unreachable(error) }, options);
    this.#listener = listener;
    this.#options = options;
  }

  async publish(messages: readonly Message[], until = Infinity): Promise<PublishResult[]> {
    const receipts: Receipt[] = [];
    const failure = await this.#exchange(messages, receipts, until);
    return messages.map((_, index) => {
      const refusal = receipts[index]?.refusal;
      if (refusal !== undefined) return { status: "rejected", error: refusal };
      return failure === undefined ? { status: "confirmed" } : { status: "unknown", error: failure };
    });
  }

  async ping(): Promise<boolean> {
    return (await this.#exchange([], [], Infinity)) === undefined;
  }

  keepConnected(): () => void {
    return this.#connection.acquire().release;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Publishes messages with one flush, and fills in their receipts. @returns the failure, unless the server has read everything */
  async #exchange(messages: readonly Message[], receipts: Receipt[], until: number): Promise<Error | undefined> {
    const { clock, timeoutMs } = this.#options;
    const use = this.#connection.acquire();
    let isConnected = false;
    try {
      const connection = await use.connect();
      if (clock.monotonic() > until) throw new Error("The tab was paused. Another tab may have published its messages.");
      isConnected = true;
      for (const message of messages) receipts.push(send(connection, message));
      await byDeadline(clock, use.deadline, connection.roundTrip(), timeoutMs);
      this.#listener.answered();
      return undefined;
    } catch (thrown) {
      const error = asError(thrown);
      if (isConnected) {
        use.discard();
        this.#listener.broken(error);
      }
      return error;
    } finally {
      use.release();
    }
  }
}

/** Must check subject and id here, whatever was checked before: a client sends CRLF in them as protocol or headers. */
function send(connection: Connection, message: Message): Receipt {
  if (!isSafeSubject(message.subject)) return refuse("The key does not make a valid NATS subject.");
  if (!isSafeId(message.id)) return refuse("The write's id does not make a valid NATS header.");
  const size = wireSize(message);
  const max = connection.maxPayloadBytes;
  if (size > max) return refuse(`The message has ${size} bytes; the server accepts at most ${max}.`);
  return connection.publish(message);
}

function refuse(reason: string): Receipt {
  return { refusal: new Error(reason) };
}
