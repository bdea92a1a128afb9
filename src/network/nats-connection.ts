import { headerOf, type Message } from "../model/envelope.ts";
import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import type { Connection, Receipt, Request } from "./connection.ts";
import type { NatsClient } from "./nats-client.ts";
import { Replies } from "./replies.ts";

/** nats.ws waits without limit for a socket's buffer to empty before it closes the socket. */
const CLOSE_TIMEOUT_MS = 1_000;

/** A connection over a client of nats.ws or nats-core, with workarounds for both. */
export class NatsConnection implements Connection {
  readonly ending: Promise<void>;
  readonly #clock: Clock;
  readonly #client: NatsClient;
  readonly #closeSockets: () => void;
  readonly #onFailing: () => void;
  #isClosing = false;
  /** Receipts of messages that the server has not answered yet, by subject: a refusal names the subject only. */
  readonly #open = new Map<string, Set<Receipt>>();
  readonly closed: Promise<never>;
  readonly #inboxPrefix: string;
  #replies: Replies | undefined;

  /**
   * @param onFailing called when the server asks to leave or the connection fails
   * @param inboxPrefix of the subjects on which the client may receive replies
   */
  constructor(clock: Clock, client: NatsClient, closeSockets: () => void, onFailing: () => void, inboxPrefix = "_INBOX") {
    this.#clock = clock;
    this.#client = client;
    this.#closeSockets = closeSockets;
    this.#onFailing = onFailing;
    this.#inboxPrefix = inboxPrefix;
    this.closed = client.closed().then((reason) => {
      throw reason instanceof Error && Boolean(reason.message) ? reason : new Error("The connection to the server was lost.");
    });
    this.closed.catch(() => undefined);
    this.ending = Promise.race([this.closed, this.#followStatus()])
      .catch(() => undefined)
      .then(() => {
        if (!this.#isClosing) onFailing();
      });
  }

  get maxPayloadBytes(): number {
    return this.#client.info?.max_payload ?? Infinity;
  }

  get serverVersion(): string {
    return this.#client.info?.version ?? "";
  }

  get replies(): Replies {
    return (this.#replies ??= new Replies(this.#client, this.#inboxPrefix));
  }

  publish(message: Pick<Message, "subject" | "data" | "id">, request?: Request): Receipt {
    const { subject, data } = message;
    const header = request === undefined ? headerOf(message) : request.header;
    // Both clients call nothing but `encode` of the headers.
    const headers = header && { headers: { encode: () => header } };
    this.#client.publish(subject, data, { ...headers, ...(request && { reply: request.replyTo }) });
    const receipt: Receipt = {};
    this.#open.set(subject, (this.#open.get(subject) ?? new Set()).add(receipt));
    return receipt;
  }

  async roundTrip(): Promise<void> {
    const before = [...this.#open].map(([subject, receipts]) => [subject, [...receipts]] as const);
    // flush() of nats.ws 1.30.3 never settles once the connection is closed.
    await Promise.race([this.#client.flush(), this.closed]);
    // A refusal comes before the PONG, but surfaces up to one macrotask after it.
    await macrotask();
    for (const [subject, receipts] of before) {
      const open = this.#open.get(subject);
      for (const receipt of receipts) open?.delete(receipt);
      if (open?.size === 0) this.#open.delete(subject);
    }
  }

  async close(isBroken = false): Promise<void> {
    this.#isClosing = true;
    if (isBroken) this.#onFailing();
    await within(this.#clock, CLOSE_TIMEOUT_MS, this.#client.close(), () => undefined).catch(() => undefined);
    this.#closeSockets();
  }

  /** Puts refusals into their receipts. Resolves when the server asks to leave. */
  async #followStatus(): Promise<void> {
    if (this.#client.info?.ldm === true) return;
    for await (const status of this.#client.status()) {
      if (status.type === "ldm") return;
      const refused = status.permissionContext ?? status.error;
      if (status.type !== "error" || refused?.operation !== "publish" || refused.subject === undefined) continue;
      const subject = unquote(refused.subject);
      for (const receipt of this.#open.get(subject) ?? []) {
        receipt.refusal = status.error ?? new Error(`Permissions Violation for Publish to "${subject}"`);
      }
    }
    await this.closed;
  }
}

/** Decodes a subject that the server has quoted with Go's `%q`. */
function unquote(quoted: string): string {
  return quoted.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g,
    (_, x?: string, u?: string, U?: string, character?: string) =>
      character ?? String.fromCodePoint(Number.parseInt(x ?? u ?? U ?? "fffd", 16)),
  );
}

/** Resolves in a new macrotask. A message port, since browsers delay nested timers by 4 ms. */
function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
