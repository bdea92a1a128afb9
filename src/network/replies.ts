import { asError } from "../util/as-error.ts";
import { randomId } from "../util/random-id.ts";
import type { NatsClient, NatsMessage } from "./nats-client.ts";

/** The answer to a request, or one of them. */
export interface Reply {
  readonly subject: string;
  /** The subject to which an answer to the reply would go; empty: none. */
  readonly replyTo: string;
  readonly data: Uint8Array;
  /** The code in its header; 0: none, or the reply is a message of a stream, whose publisher may have written any. 503: nobody answers requests on this subject. */
  readonly status: number;
  /** Empty: the reply has no such header. The last one of several: the server adds its own ones after those of the publisher. */
  header(name: string): string;
}

export interface ReplyListener {
  onReply(reply: Reply): void;
  /** No reply will come. */
  onError(error: Error): void;
}

/** Where the replies to one request go. `end` must be called. */
export interface Inbox {
  readonly subject: string;
  readonly end: () => void;
}

/** The replies to the requests of one client. */
export class Replies {
  readonly #client: NatsClient;
  readonly #prefix: string;
  readonly #listeners = new Map<string, ReplyListener>();
  #count = 0;
  /** Why the client receives no replies. */
  #refusal: Error | undefined;

  /** @param prefix of the subjects on which the client may receive replies */
  constructor(client: NatsClient, prefix: string) {
    this.#client = client;
    this.#prefix = `${prefix}.${randomId()}`;
    // One subscription for all: another one for each request would take another message to the server.
    client.subscribe(`${this.#prefix}.*`, {
      callback: (error, message) => {
        if (error) this.#refuse(asError(error));
        else this.#listeners.get(message.subject.slice(this.#prefix.length + 1))?.onReply(replyOf(message));
      },
    });
  }

  /** For requests whose replies have the subject of the inbox. */
  expect(listener: ReplyListener): Inbox {
    const token = String(++this.#count);
    this.#listeners.set(token, listener);
    const refusal = this.#refusal;
    if (refusal !== undefined) queueMicrotask(() => listener.onError(refusal));
    return { subject: `${this.#prefix}.${token}`, end: () => void this.#listeners.delete(token) };
  }

  /** The server reports this once, for the subscription. */
  #refuse(error: Error): void {
    this.#refusal = error;
    for (const listener of this.#listeners.values()) listener.onError(error);
  }

  /** For messages of a consumer, which have the subjects of the stream: a subscription of its own. */
  expectMessages(listener: ReplyListener): Inbox {
    const subject = `${this.#prefix}.messages.${++this.#count}`;
    const subscription = this.#client.subscribe(subject, {
      callback: (error, message) => (error ? listener.onError(asError(error)) : listener.onReply(replyOf(message))),
    });
    return { subject, end: () => subscription.unsubscribe() };
  }
}

function replyOf(message: NatsMessage): Reply {
  const { subject, reply = "", data } = message;
  // Must be asked for only where they are needed: the client parses them then, which takes longer than the rest.
  const header = (name: string): string => message.headers?.last(name) ?? "";
  // Consumers deliver messages with a subject for the acknowledgement, direct gets with a sequence.
  const isMessage = reply !== "" || header("Nats-Sequence") !== "";
  return { subject, replyTo: reply, data, status: isMessage ? 0 : (message.headers?.code ?? 0), header };
}
