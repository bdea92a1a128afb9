import type { Envelope } from "../model/envelope.ts";
import { deferred } from "./fake-connection.ts";

/** A message as the server has read it. */
export interface Arrived {
  readonly subject: string;
  readonly id: string;
  readonly envelope: Envelope;
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
  /** How an attempt to connect ends. */
  dialling: "answers" | "refuses" | "hangs" = "answers";
  /** Which subjects nobody may publish to. */
  denies: (subject: string) => boolean = () => false;
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

  /** From now on the server reads messages, but does not answer, until `answer`. */
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
    void closed.promise.then(() => {
      this.open--;
      this.#happened();
    });
    this.#cuts.push(() => closed.resolve());
    const publish = (subject: string, data: Uint8Array, { headers }: { headers: { encode(): Uint8Array } }): void => {
      if (this.denies(subject)) {
        statuses.push({ type: "error", data: "PERMISSIONS_VIOLATION", permissionContext: { operation: "publish", subject } });
        wake.resolve();
        return;
      }
      const id = /Nats-Msg-Id: (.*)\r\n/.exec(new TextDecoder().decode(headers.encode()))?.[1] ?? "";
      this.arrived.push({ subject, id, envelope: JSON.parse(new TextDecoder().decode(data)) as Envelope });
      this.#happened();
    };
    return {
      info: { max_payload: this.maxPayload },
      publish,
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
