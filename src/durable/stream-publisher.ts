import { headerBlock, type Message } from "../model/envelope.ts";
import type { Connection, Receipt } from "../network/connection.ts";
import { refusalOf, rejectedBy, type Exchange } from "../network/exchange.ts";
import type { Inbox, Reply } from "../network/replies.ts";
import type { PublishResult } from "../network/transport.ts";
import type { Clock } from "../util/clock.ts";
import { asError } from "../util/as-error.ts";
import { isCount } from "../util/count.ts";
import type { KeyStoreError } from "../util/errors.ts";
import { asUnavailable, ErrorCode, noResponders, StreamRequestError, streamUnavailable, type ApiError } from "./stream-error.ts";
import { isAtLeast } from "./server-version.ts";
import { readAnswer } from "./stream-answer.ts";

/** What JetStream answers to a message. */
interface Acknowledgement {
  readonly seq?: unknown;
  readonly error?: ApiError;
}

/** How long a server keeps a message at most. It refuses times that have no place in 64 bits of nanoseconds. */
const MAX_TTL_SECONDS = 9e9;

/** Publishes messages to the stream: each is confirmed by an acknowledgement of its own. */
export class StreamPublisher {
  readonly #clock: Clock;
  /** Whether messages get a TTL. False once the stream has refused one: it keeps its messages until they are replaced. */
  #mayExpire: boolean;

  constructor(clock: Clock, { mayExpire }: { readonly mayExpire: boolean }) {
    this.#clock = clock;
    this.#mayExpire = mayExpire;
  }

  begin(connection: Connection, messages: readonly Message[], deadline: number): Exchange {
    const results: (PublishResult | undefined)[] = [];
    const receipts: (Receipt | undefined)[] = [];
    const inboxes: Inbox[] = [];
    let open = messages.length;
    let allAnswered!: () => void;
    const answered = new Promise<void>((resolve) => (allAnswered = resolve));
    const settle = (index: number, result: PublishResult): void => {
      if (results[index] !== undefined) return;
      results[index] = result;
      if (--open === 0) allAnswered();
    };
    const send = (index: number, message: Message, withTtl: boolean): void => {
      const header = headerBlock({ ...headersOf(message), ...(withTtl ? this.#ttlOf(message) : undefined) });
      const refused = rejectedBy(refusalOf(connection, message, header));
      if (refused !== undefined) return settle(index, refused);
      const inbox = connection.replies.expect({
        onReply: (reply) => {
          const result = resultOf(message, reply);
          if (withTtl && isTtlRefused(result)) {
            // The message is not in the stream: it goes again, and its entry expires in the browsers only.
            this.#mayExpire = false;
            sendAgain(index, message);
          } else settle(index, result);
        },
        onError: (error) => settle(index, { status: "unknown", error: asUnavailable(error) }),
      });
      inboxes.push(inbox);
      receipts[index] = connection.publish(message, { replyTo: inbox.subject, header });
    };
    const sendAgain = (index: number, message: Message): void => {
      try {
        send(index, message, false);
      } catch (error) {
        settle(index, { status: "unknown", error: asError(error) });
      }
    };
    const canExpire = this.#mayExpire && isAtLeast(connection.serverVersion, 2, 11);
    messages.forEach((message, index) => send(index, message, canExpire && message.expiresAt !== undefined));
    if (open === 0) allAnswered();

    let isAlive = false;
    const readAll = connection.roundTrip().then(() => {
      isAlive = true;
      // No acknowledgement follows a refusal for lack of permissions.
      receipts.forEach((receipt, index) => {
        const refused = rejectedBy(receipt);
        if (refused !== undefined) settle(index, refused);
      });
    });
    readAll.catch(() => undefined);
    // The connection works: the stream does not answer, for example while its servers elect a leader. Must come before the limit of the call.
    const timer = this.#clock.setTimer(
      () => {
        if (isAlive) messages.forEach((_, index) => settle(index, { status: "unknown", error: noAcknowledgement() }));
      },
      Math.max(0, deadline - this.#clock.monotonic()),
    );
    const done = Promise.race([answered, connection.closed]).finally(() => {
      timer.cancel();
      for (const { end } of inboxes) end();
    });
    return { done, resultOf: (index) => results[index] ?? rejectedBy(receipts[index]) };
  }

  /** Whole seconds, at least one. */
  #ttlOf({ expiresAt = 0 }: Message): Headers {
    const seconds = Math.ceil((expiresAt - this.#clock.now()) / 1000);
    return { "Nats-TTL": `${Math.min(Math.max(1, seconds), MAX_TTL_SECONDS)}s` };
  }
}

function noAcknowledgement(): KeyStoreError {
  return streamUnavailable("The stream has not acknowledged the message in time.");
}

type Headers = Readonly<Record<string, string | number>>;

function headersOf({ id, base, headers }: Message): Headers {
  return {
    ...(id === "" ? undefined : { "Nats-Msg-Id": id }),
    // A row of the database may have anything. A client sends CRLF as more headers.
    ...(isCount(base) ? { [BASE_HEADER]: base } : undefined),
    ...headers,
  };
}

/** The newest revision of the key that the writer of a message had seen. */
export const BASE_HEADER = "Nas-Base";

/** Names the batch of a message, all of which the stream stores at once. */
export const BATCH_ID_HEADER = "Nats-Batch-Id";

function resultOf({ headers }: Message, reply: Reply): PublishResult {
  if (reply.status === 503) return { status: "unknown", error: noResponders() };
  // The server has a message of a batch. The batch is stored with its last message.
  if (reply.data.length === 0 && headers?.[BATCH_ID_HEADER] !== undefined) return { status: "confirmed" };
  const { seq, error } = readAnswer<Acknowledgement>(reply);
  if (error === undefined && isRevision(seq)) return { status: "confirmed", revision: seq };
  const refusal = new StreamRequestError(error ?? {});
  if (refusal.isTemporary) {
    return { status: "unknown", error: streamUnavailable(`The stream did not take the message (${refusal.message}).`, refusal) };
  }
  return { status: "rejected", error: refusal };
}

/** Streams begin with 1. Another client may have sent the answer. */
export function isRevision(sequence: unknown): sequence is number {
  return isCount(sequence) && sequence > 0;
}

function isTtlRefused(result: PublishResult): boolean {
  return result.status === "rejected" && (result.error as Partial<StreamRequestError>).errorCode === ErrorCode.TTL_NOT_ALLOWED;
}
