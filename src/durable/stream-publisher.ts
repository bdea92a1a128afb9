import { headerBlock, type Message } from "../model/envelope.ts";
import type { Connection, Receipt } from "../network/connection.ts";
import { refusalOf, rejectedBy, type Exchange } from "../network/exchange.ts";
import type { Inbox, Reply } from "../network/replies.ts";
import type { PublishResult } from "../network/transport.ts";
import type { Clock } from "../util/clock.ts";
import { ErrorCode, noResponders, StreamRequestError, streamUnavailable, type ApiError } from "./stream-error.ts";
import { isAtLeast } from "./server-version.ts";

/** What JetStream answers to a message. */
interface Acknowledgement {
  readonly seq?: number;
  readonly error?: ApiError;
}

/** Publishes messages to the stream: each is confirmed by an acknowledgement of its own. */
export class StreamPublisher {
  readonly #clock: Pick<Clock, "now">;
  /** The stream has refused a TTL: it keeps its messages until they are replaced. */
  #allowsTtl = true;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** @param extra more headers for each message */
  begin(connection: Connection, messages: readonly Message[], extra: (index: number) => Headers = () => ({})): Exchange {
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
      const inbox = connection.replies.expect({
        onReply: (reply) => {
          const result = resultOf(reply);
          // The message is not in the stream: it goes again, and its entry expires in the browsers only.
          if (withTtl && isTtlRefused(result)) {
            this.#allowsTtl = false;
            send(index, message, false);
          } else settle(index, result);
        },
        onError: (error) => settle(index, { status: "unknown", error }),
      });
      inboxes.push(inbox);
      const headers = { ...headersOf(message), ...extra(index), ...(withTtl ? this.#ttlOf(message) : undefined) };
      receipts[index] = connection.publish(message, { replyTo: inbox.subject, header: headerBlock(headers) });
    };
    const canExpire = this.#allowsTtl && isAtLeast(connection.serverVersion, 2, 11);
    messages.forEach((message, index) => {
      const refused = rejectedBy(refusalOf(connection, message));
      if (refused === undefined) send(index, message, canExpire && message.expiresAt !== undefined);
      else settle(index, refused);
    });
    if (open === 0) allAnswered();
    // No acknowledgement follows a refusal for lack of permissions.
    const refusals = connection.roundTrip().then(() => {
      receipts.forEach((receipt, index) => {
        const refused = rejectedBy(receipt);
        if (refused !== undefined) settle(index, refused);
      });
    });
    refusals.catch(() => undefined);
    const done = Promise.race([answered, connection.closed]).finally(() => {
      for (const { end } of inboxes) end();
    });
    return { done, resultOf: (index) => results[index] ?? rejectedBy(receipts[index]) };
  }

  /** Whole seconds, at least one. */
  #ttlOf({ expiresAt = 0 }: Message): Headers {
    return { "Nats-TTL": `${Math.max(1, Math.ceil((expiresAt - this.#clock.now()) / 1000))}s` };
  }
}

type Headers = Readonly<Record<string, string | number>>;

function headersOf({ id, base }: Message): Headers {
  return { "Nats-Msg-Id": id, ...(base === undefined ? undefined : { [BASE_HEADER]: base }) };
}

/** The newest revision of the key that the writer of a message had seen. */
export const BASE_HEADER = "Nas-Base";

function resultOf(reply: Reply): PublishResult {
  if (reply.status === 503) return { status: "unknown", error: noResponders() };
  const { seq, error } = readAnswer<Acknowledgement>(reply);
  if (error === undefined && seq !== undefined) return { status: "confirmed", revision: seq };
  const refusal = new StreamRequestError(error ?? {});
  if (refusal.isTemporary) {
    return { status: "unknown", error: streamUnavailable(`The stream did not take the message (${refusal.message}).`, refusal) };
  }
  return { status: "rejected", error: refusal };
}

function isTtlRefused(result: PublishResult): boolean {
  return result.status === "rejected" && (result.error as Partial<StreamRequestError>).errorCode === ErrorCode.TTL_NOT_ALLOWED;
}

/** The JSON of a reply; an empty object where it has none. */
export function readAnswer<T extends object>({ data }: Reply): Partial<T> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(data))) as Partial<T>;
  } catch {
    return {};
  }
}
