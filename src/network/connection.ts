import type { Message } from "../model/envelope.ts";
import type { Replies } from "./replies.ts";

/** One connection to a NATS server, with the few operations that publishing needs. */
export interface Connection {
  /** The largest message that the server accepts, headers included. */
  readonly maxPayloadBytes: number;
  /** Resolves when the connection is closed or the server asks to leave (lame-duck mode). Never rejects. */
  readonly ending: Promise<void>;
  /** As the server reports it, for example "2.11.4"; empty: not known. */
  readonly serverVersion: string;
  /**
   * Hands a message to the socket.
   * @param request makes it a request: its header block, and where its replies go
   * @throws when the connection is closed
   */
  publish(message: Pick<Message, "subject" | "data" | "id">, request?: Request): Receipt;
  /** The replies to requests of this connection. */
  readonly replies: Replies;
  /** Rejects when the connection is closed. */
  readonly closed: Promise<never>;
  /** Resolves when the server has read all messages published before, and their refusals are in the receipts. Rejects when the connection is closed. */
  roundTrip(): Promise<void>;
  /**
   * Closes the connection within a bounded time. Never rejects.
   * @param isBroken the server did not answer: the next connection goes to another server, if there is one
   */
  close(isBroken?: boolean): Promise<void>;
}

export interface Request {
  /** The subject of an inbox. */
  readonly replyTo: string;
  readonly header: Uint8Array | undefined;
}

/** The server's answer to one message. */
export interface Receipt {
  /** Set once the server has refused the message. */
  refusal?: Error;
}
