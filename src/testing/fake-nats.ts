import type { Envelope } from "../model/envelope.ts";
import type { NatsMessage } from "../network/nats-client.ts";
import { deferred } from "./fake-connection.ts";
import { headersIn, type FakeStream } from "./fake-stream.ts";

/** A message as the server has read it. */
export interface Arrived {
  readonly subject: string;
  readonly id: string;
  readonly envelope: Envelope;
}

type Callback = (error: unknown, message: NatsMessage) => void;

interface PublishOptions {
  readonly headers?: { encode(): Uint8Array };
  readonly reply?: string;
}

/** A NATS server in memory, and the `connect` of its client. It does what a test says. */
export class FakeNats {
  /** What the server has read and not refused, in order. */
  readonly arrived: Arrived[] = [];
  /** Attempts to connect. */
  dials = 0;
  /** Calls of `flush`: PINGs of clients. */
  flushes = 0;
  /** Connections open now. */
  open = 0;
  maxPayload = 1024 * 1024;
  version = "2.9.10";
  /** JetStream with this stream; undefined: nobody answers requests. */
  stream: FakeStream | undefined;
  /** Whether clients may not receive replies. */
  deniesReplies = false;
  /** Requests, in order. */
  readonly requests: string[] = [];
  /** How an attempt to connect ends. */
  dialling: "answers" | "refuses" | "hangs" = "answers";
  /** Which subjects nobody may publish to. */
  denies: (subject: string) => boolean = () => false;
  /** Which messages and requests nobody answers. */
  isSilent: (subject: string) => boolean = () => false;
  /** Called for each PING that the server does not answer. */
  onUnanswered: () => void = () => undefined;
  readonly #waiting = new Set<() => void>();
  #held: ReturnType<typeof deferred<void>> | undefined;
  #hanging: ((error: Error) => void)[] = [];
  #cuts: (() => void)[] = [];

  readonly connect = (): Promise<unknown> => {
    this.dials++;
    this.#happened();
    if (this.dialling === "refuses") return Promise.reject(new Error("connection refused"));
    if (this.dialling === "hangs") return new Promise((_, reject) => this.#hanging.push(reject));
    return Promise.resolve(this.#client());
  };

  /** From now on the server reads messages, but answers neither PINGs nor requests, until `answer`. */
  hold(): void {
    this.#held = deferred<void>();
  }

  answer(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Ends all connections, and the attempts that hang. */
  cut(): void {
    for (const cut of this.#cuts.splice(0)) cut();
    for (const reject of this.#hanging.splice(0)) reject(new Error("timed out"));
  }

  /** Resolves when so many messages have arrived. */
  received(count: number): Promise<void> {
    return this.when(() => this.arrived.length >= count);
  }

  /** Resolves when a message of the key has arrived, or so many. */
  receivedOf(key: string, count = 1): Promise<void> {
    return this.when(() => this.of(key).length >= count);
  }

  /** Resolves when no connection is open. */
  closed(): Promise<void> {
    return this.when(() => this.open === 0);
  }

  /** Resolves when a condition on the figures above holds. */
  when(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  /** The envelopes that arrived of a key. */
  of(key: string): Envelope[] {
    return this.arrived.filter(({ envelope }) => envelope.key === key).map(({ envelope }) => envelope);
  }

  /** What arrived, as `key@version`. */
  get log(): string[] {
    return this.arrived.map(
      ({ envelope }) => `${envelope.key}@${envelope.operation === "store" ? envelope.metadata.version : envelope.version}`,
    );
  }

  #happened(): void {
    for (const check of this.#waiting) check();
  }

  #client(): object {
    this.open++;
    this.#happened();
    const closed = deferred<void>();
    const statuses: object[] = [];
    let wake = deferred<void>();
    let isClosed = false;
    void closed.promise.then(() => {
      isClosed = true;
      this.open--;
      this.#happened();
    });
    this.#cuts.push(() => closed.resolve());
    const subscriptions = new Map<string, Callback>();
    const publish = (subject: string, data: Uint8Array, { headers: given, reply }: PublishOptions = {}): void => {
      if (this.denies(subject)) {
        statuses.push({ type: "error", data: "PERMISSIONS_VIOLATION", permissionContext: { operation: "publish", subject } });
        wake.resolve();
        return;
      }
      const headers = given === undefined ? {} : headersIn(given.encode());
      const text = new TextDecoder().decode(data);
      if (subject.startsWith("$")) this.requests.push(subject);
      else this.arrived.push({ subject, id: headers["Nats-Msg-Id"] ?? "", envelope: JSON.parse(text) as Envelope });
      const answer = subject.startsWith("$")
        ? this.stream?.answer(subject, text === "" ? undefined : JSON.parse(text))
        : this.stream?.publish(subject, headers, data);
      this.#happened();
      if (reply === undefined) return;
      const message: NatsMessage =
        answer === undefined
          ? { subject: reply, data: new Uint8Array(), headers: { code: 503, last: () => "" } }
          : { subject: reply, data: new TextEncoder().encode(JSON.stringify(answer)) };
      const reach = async (): Promise<void> => {
        // Replies come after the call, even if nothing holds them.
        await this.#held?.promise;
        if (isClosed || this.isSilent(subject)) return;
        for (const [filter, callback] of subscriptions) {
          if (filter === reply || (filter.endsWith(".*") && reply.startsWith(filter.slice(0, -1)))) callback(null, message);
        }
      };
      void reach();
    };
    return {
      info: { max_payload: this.maxPayload, version: this.version },
      publish,
      subscribe: (subject: string, { callback }: { callback: Callback }) => {
        subscriptions.set(subject, callback);
        const denied = new Error(`Permissions Violation for Subscription to "${subject}"`);
        if (this.deniesReplies) queueMicrotask(() => callback(denied, {} as NatsMessage));
        return { unsubscribe: () => void subscriptions.delete(subject) };
      },
      flush: () => {
        this.flushes++;
        this.#happened();
        if (this.#held === undefined) return Promise.resolve();
        this.onUnanswered();
        return this.#held.promise;
      },
      close: async () => closed.resolve(),
      closed: () => closed.promise,
      async *status() {
        for (;;) {
          for (let next = statuses.shift(); next !== undefined; next = statuses.shift()) yield next;
          await wake.promise;
          wake = deferred<void>();
        }
      },
    };
  }
}
