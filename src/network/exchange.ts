import { isSafeId, wireSize, type Message } from "../model/envelope.ts";
import { isSafeSubject } from "../model/subject.ts";
import type { Connection, Receipt } from "./connection.ts";
import type { PublishResult } from "./transport.ts";

/** Messages that were handed to a connection together. */
export interface Exchange {
  /** Resolves when the server has answered all of them. Rejects when the connection is closed. */
  readonly done: Promise<unknown>;
  /** The result of a message, as far as it is known; undefined: confirmed once `done` has resolved. */
  resultOf(index: number): PublishResult | undefined;
}

/** @param deadline the answers must come by then, as `clock.monotonic()` counts */
export type BeginExchange = (connection: Connection, messages: readonly Message[], deadline: number) => Exchange;

/** Core NATS: messages are confirmed by the PONG to a PING after them. */
export const publishPlainly: BeginExchange = (connection, messages) => {
  const receipts = messages.map((message) => refusalOf(connection, message) ?? connection.publish(message));
  return { done: connection.roundTrip(), resultOf: (index) => rejectedBy(receipts[index]) };
};

/**
 * Must check subject and id here, whatever was checked before: a client sends CRLF in them as protocol or headers. A server closes the connection
 * after a message that is too large.
 * @param header the header block; undefined: that of core NATS
 */
export function refusalOf(connection: Connection, message: Message, header?: Uint8Array): Receipt | undefined {
  if (!isSafeSubject(message.subject)) return refuse("The key does not make a valid NATS subject.");
  if (!isSafeId(message.id)) return refuse("The write's id does not make a valid NATS header.");
  const size = header === undefined ? wireSize(message) : header.length + message.data.length;
  const max = connection.maxPayloadBytes;
  return size > max ? refuse(`The message has ${size} bytes; the server accepts at most ${max}.`) : undefined;
}

export function rejectedBy(receipt: Receipt | undefined): PublishResult | undefined {
  return receipt?.refusal && { status: "rejected", error: receipt.refusal };
}

function refuse(reason: string): Receipt {
  return { refusal: new Error(reason) };
}
