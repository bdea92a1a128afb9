/** A message in a stream. */
export interface StreamMessage {
  readonly seq: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** An answer of JetStream. */
export type ApiAnswer = Readonly<Record<string, unknown>>;

/** A stream in memory that has every subject of every namespace. It does what a test says. */
export class FakeStream {
  readonly name: string;
  /** The last message of each subject, in the order of their sequences. */
  messages: StreamMessage[] = [];
  lastSequence = 0;
  /** Members of its configuration. */
  config: Readonly<Record<string, unknown>> = {};
  created = "2026-01-01T00:00:00.000Z";
  /** The `error` with which it refuses a message. */
  refuses: (message: Omit<StreamMessage, "seq">) => object | undefined = () => undefined;
  /** Further answers of the API, by the subject of the request. Undefined: nobody answers. */
  api: (subject: string, body: unknown) => ApiAnswer | undefined = () => undefined;
  /** Nats-Msg-Id → sequence. */
  readonly #ids = new Map<string, number>();

  constructor(name = "NAS_test") {
    this.name = name;
  }

  /** The acknowledgement of a message, or the error with which it is refused. */
  publish(subject: string, headers: Readonly<Record<string, string>>, data: Uint8Array): ApiAnswer {
    const error = this.refuses({ subject, headers, data });
    if (error !== undefined) return { error };
    const id = headers["Nats-Msg-Id"];
    const duplicateOf = id === undefined ? undefined : this.#ids.get(id);
    if (duplicateOf !== undefined) return { stream: this.name, seq: duplicateOf, duplicate: true };
    const expected = headers["Nats-Expected-Last-Subject-Sequence"];
    const last = this.last(subject)?.seq ?? 0;
    if (expected !== undefined && Number(expected) !== last) {
      return { error: { code: 400, err_code: 10071, description: `wrong last sequence: ${last}` } };
    }
    const seq = ++this.lastSequence;
    if (id !== undefined) this.#ids.set(id, seq);
    this.messages = [...this.messages.filter((message) => message.subject !== subject), { seq, subject, headers, data }];
    return { stream: this.name, seq };
  }

  /** The last message of a subject. */
  last(subject: string): StreamMessage | undefined {
    return this.messages.find((message) => message.subject === subject);
  }

  /** The answer to a request of the API; undefined: nobody answers. */
  answer(subject: string, body: unknown): ApiAnswer | undefined {
    const given = this.api(subject, body);
    if (given !== undefined) return given;
    const [, , kind, action, ...rest] = subject.split(".");
    if (kind !== "STREAM") return undefined;
    if (action === "NAMES") return { streams: [this.name] };
    if (rest.at(-1) !== this.name) return { error: { code: 404, err_code: 10059, description: "stream not found" } };
    if (action === "INFO") return this.#info();
    if (action === "MSG") return this.#lastBy((body as { last_by_subj: string }).last_by_subj);
    return undefined;
  }

  #info(): ApiAnswer {
    const state = { first_seq: this.messages[0]?.seq ?? 1, last_seq: this.lastSequence, messages: this.messages.length };
    const config = { name: this.name, subjects: ["_kv.test.key.>"], max_msgs_per_subject: 1, allow_direct: true, ...this.config };
    return { config, state, created: this.created };
  }

  #lastBy(subject: string): ApiAnswer {
    const found = this.last(subject);
    if (found === undefined) return { error: { code: 404, err_code: 10037, description: "no message found" } };
    const base64 = (data: Uint8Array | string) => Buffer.from(data).toString("base64");
    const lines = Object.entries(found.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return {
      message: { subject, seq: found.seq, hdrs: base64(`NATS/1.0\r\n${lines.join("")}\r\n`), data: base64(found.data) },
    };
  }
}

/** The headers in a block, without a status line. */
export function headersIn(block: Uint8Array): Record<string, string> {
  const lines = new TextDecoder().decode(block).split("\r\n").slice(1, -2);
  return Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2)));
}
