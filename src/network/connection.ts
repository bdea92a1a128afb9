import type { Message } from "../model/envelope.ts";

/** One connection to a NATS server, with the few operations that publishing needs. */
export interface Connection {
  /** The largest message that the server accepts, headers included. */
  readonly maxPayloadBytes: number;
  /** Resolves when the connection is closed or the server asks to leave (lame-duck mode). Never rejects. */
  readonly ending: Promise<void>;
  /** Hands a message to the socket. @throws when the connection is closed */
  publish(message: Message): Receipt;
  /** Resolves when the server has read all messages published before, and their refusals are in the receipts. Rejects when the connection is closed. */
  roundTrip(): Promise<void>;
  /** Closes the connection within a bounded time. Never rejects. */
  close(): Promise<void>;
}

/** The server's answer to one message. */
export interface Receipt {
  /** Set once the server has refused the message. */
  refusal?: Error;
}
