import { vi } from "vitest";

import { pull, type PullPorts } from "../durable/pull.ts";
import { readPulled, type Pulled } from "../durable/pull-sequence.ts";
import type { StreamInfo, StreamRequests } from "../durable/stream-api.ts";
import type { StreamApi } from "../durable/stream-api.ts";
import type { Emit } from "../model/events.ts";
import type { PullResult } from "../model/pull-result.ts";
import type { EntryRow } from "../model/row.ts";
import type { Reply } from "../network/replies.ts";
import type { PullOptions } from "../options/types.ts";
import { Settler } from "../relay/settler.ts";
import { bytesOf } from "../util/utf8.ts";
import { readPayload } from "../values/pipeline.ts";
import { KeyQueue } from "../write/key-queue.ts";
import { setUpCommitter } from "./committer.ts";
import { storeEnvelope } from "./envelopes.ts";
import { NOW } from "./rows.ts";

export interface FakeMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** A stream in memory with the last message of each subject, and batched direct get. */
export class DirectGetStream {
  readonly messages = new Map<number, FakeMessage>();
  created = "first";
  lastSequence = 0;
  /** The bodies of the requests for batches. */
  readonly requests: { seq: number }[] = [];
  /** Called for each message that a batch delivers. */
  onDelivery: (sequence: number) => void = () => undefined;
  /** A replica that answers has no messages after this one. */
  replicaHas = Infinity;
  batch = 1_000;

  publish(subject: string, envelope: unknown, headers: Readonly<Record<string, string>> = {}): number {
    for (const [sequence, message] of this.messages) if (message.subject === subject) this.messages.delete(sequence);
    const data = bytesOf(typeof envelope === "string" ? envelope : JSON.stringify(envelope));
    this.messages.set(++this.lastSequence, { subject, data, headers });
    return this.lastSequence;
  }

  store(key: string, value: unknown, metadata: object = {}, headers?: Readonly<Record<string, string>>): number {
    return this.publish(`_kv.test.key.${key}`, storeEnvelope(key, JSON.stringify(value), { ...metadata }), headers);
  }

  delete(key: string, version?: number, headers?: Readonly<Record<string, string>>): number {
    return this.publish(`_kv.test.key.${key}`, { operation: "delete", key, timestamp: "2026-01-02T03:04:05Z", version }, headers);
  }

  /** The stream is deleted, and another one is created in its place. */
  createAgain(): void {
    this.messages.clear();
    this.lastSequence = 0;
    this.created += " again";
  }

  get info(): StreamInfo {
    return {
      config: { name: "S", allow_direct: true, max_msgs_per_subject: 1 },
      state: { first_seq: 1, last_seq: this.lastSequence, messages: this.messages.size, bytes: 0 },
      created: this.created,
    };
  }

  readonly requestsOf = { isAtLeast: () => true, collect: this.#collect.bind(this), request: this.#request.bind(this) };

  async #collect(
    _subject: string,
    body: object | undefined,
    onReply: (reply: Reply) => boolean,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const { seq } = body as { seq: number };
    this.requests.push({ seq });
    const found = [...this.messages].filter(([sequence]) => sequence >= seq && sequence <= this.replicaHas);
    const replyOf = (status: number, headers: Readonly<Record<string, string>>, data: Uint8Array = new Uint8Array()): Reply => ({
      subject: "",
      replyTo: "",
      status,
      data,
      header: (name) => headers[name] ?? "",
    });
    if (found.length === 0) return void onReply(replyOf(404, {}));
    let last = 0;
    for (const [sequence, { subject, data, headers }] of found.slice(0, this.batch)) {
      this.onDelivery(sequence);
      signal?.throwIfAborted();
      const own = { "Nats-Subject": subject, "Nats-Sequence": String(sequence), "Nats-Last-Sequence": String(last) };
      onReply(replyOf(0, { ...headers, ...own }, data));
      last = sequence;
    }
    const end = { "Nats-Num-Pending": String(Math.max(0, found.length - this.batch)), "Nats-Last-Sequence": String(last) };
    onReply(replyOf(204, end));
  }

  async #request(_subject: string, what: object): Promise<object> {
    const { StreamRequestError, ErrorCode } = await import("../durable/stream-error.ts");
    const { seq = 0, last_by_subj: one } = what as { seq?: number; last_by_subj?: string };
    const [sequence, message] = [...this.messages].find(([of, { subject }]) => of >= seq && (one === undefined || subject === one)) ?? [];
    if (sequence === undefined || message === undefined) throw new StreamRequestError({ code: 404, err_code: ErrorCode.MESSAGE_NOT_FOUND });
    const lines = Object.entries(message.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const hdrs = Buffer.from(`NATS/1.0\r\n${lines.join("")}\r\n`).toString("base64");
    return { message: { subject: message.subject, seq: sequence, data: Buffer.from(message.data).toString("base64"), hdrs } };
  }
}

/** A browser that pulls from a stream in memory. */
export function setUpPull(stream: DirectGetStream) {
  const own = setUpCommitter({ pulledTo: () => 0 });
  const { committer, database } = own;
  const emit = vi.fn<Emit>();
  const settler = new Settler({
    settle: (...settlement) => committer.settle(...settlement),
    waiters: { tell: () => undefined },
    emit,
    onSettled: () => undefined,
  });
  const api = {
    findStream: async () => stream.info,
    use: <T>(work: (requests: StreamRequests) => Promise<T>) => work(stream.requestsOf as unknown as StreamRequests),
  };
  const ports: PullPorts = {
    settings: { namespace: "test", maxPayloadBytes: 1024 * 1024, encryption: undefined },
    clock: { now: () => NOW },
    committer,
    queue: new KeyQueue(),
    useTime: () => NOW,
    database,
    settler,
    emit,
    payloadOf: async (key: string, row: EntryRow) => readPayload(key, row),
    api: api as unknown as StreamApi,
    state: { pulledTo: 0, turn: Promise.resolve() },
    persist: () => undefined,
  };
  return {
    ...own,
    emit,
    ports,
    pull: (options: PullOptions = {}): Promise<PullResult> => pull(ports, options),
    remembered: (): Promise<Pulled | undefined> => readPulled(database),
  };
}
