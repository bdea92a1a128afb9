import type { Message } from "../model/envelope.ts";
import { asError } from "../util/as-error.ts";
import type { Connection } from "./connection.ts";
import { publishPlainly, type BeginExchange, type Exchange } from "./exchange.ts";
import { byDeadline, SharedConnection, type Connect, type SharedConnectionOptions } from "./shared-connection.ts";
import type { PublishResult, Transport, TransportListener } from "./transport.ts";

/** NATS: messages are published on the shared connection. */
export class NatsTransport implements Transport {
  readonly #connection: SharedConnection;
  readonly #listener: TransportListener;
  readonly #options: SharedConnectionOptions;
  readonly #begin: BeginExchange;
  /** The stream did not take every message of the last publication. Until it does, an answer of the server does not mean that writes can be published. */
  #streamFailed = false;
  /** As the last connection has reported it. */
  maxMessageBytes = Infinity;

  /** @param begin hands messages to a connection, and tells when they are confirmed */
  constructor(connect: Connect, listener: TransportListener, options: SharedConnectionOptions, begin: BeginExchange = publishPlainly) {
    const connected = ({ maxPayloadBytes }: Connection): void => {
      this.maxMessageBytes = maxPayloadBytes;
      listener.connected();
    };
    this.#connection = new SharedConnection(connect, { connected, unreachable: (error) => listener.unreachable(error) }, options);
    this.#listener = listener;
    this.#options = options;
    this.#begin = begin;
  }

  async publish(messages: readonly Message[], until = Infinity): Promise<PublishResult[]> {
    let exchange: Exchange | undefined;
    const failure = await this.#exchange(async (connection, deadline) => {
      const begun = this.#begin(connection, messages, deadline);
      exchange = begun;
      await begun.done;
      const failed = messages.map((_, index) => begun.resultOf(index)).find((result) => result?.status === "unknown");
      this.#streamFailed = failed !== undefined;
      return failed?.error;
    }, until);
    return messages.map(
      (_, index) => exchange?.resultOf(index) ?? (failure === undefined ? { status: "confirmed" } : { status: "unknown", error: failure }),
    );
  }

  async ping(nothingWaits = false): Promise<boolean> {
    if (nothingWaits) this.#streamFailed = false;
    return (await this.#exchange((connection) => connection.roundTrip(), Infinity)) === undefined;
  }

  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const use = this.#connection.acquire();
    try {
      return await work(await use.connect());
    } finally {
      use.release();
    }
  }

  keepConnected(): () => void {
    return this.#connection.acquire().release;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** @param work resolves to an error that does not concern the connection. @returns the failure, unless the server has answered everything */
  async #exchange(work: (connection: Connection, deadline: number) => Promise<Error | void>, until: number): Promise<Error | undefined> {
    const { clock, timeoutMs } = this.#options;
    const use = this.#connection.acquire();
    let isConnected = false;
    try {
      const connection = await use.connect();
      if (clock.monotonic() > until) throw new Error("The tab was paused. Another tab may have published its messages.");
      isConnected = true;
      const failure = await byDeadline(clock, use.deadline, work(connection, use.deadline), timeoutMs);
      if (failure) this.#listener.broken(failure);
      else if (!this.#streamFailed) this.#listener.answered();
      return failure ?? undefined;
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
