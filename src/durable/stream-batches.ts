import { randomId } from "../util/random-id.ts";
import type { StreamInfo, StreamRequests } from "./stream-api.ts";
import { isNoResponders } from "./stream-error.ts";
import { consumerMessage, directMessage, nextMessage, type StreamMessage } from "./stream-message.ts";

/** Messages of a stream, in its order. */
export interface StreamBatch {
  readonly messages: readonly StreamMessage[];
  /** The stream sequence up to which all messages were given. */
  readonly upTo: number;
  /** How many are left, as far as is known. */
  readonly pending: number;
}

export interface BatchRange {
  readonly info: StreamInfo;
  /** The messages of these subjects: one subject, or with a wildcard at the end. */
  readonly subject: string;
  /** The first stream sequence. */
  readonly from: number;
  readonly signal: AbortSignal | undefined;
}

const MAX_MESSAGES = 1_000;
/** About the bytes of the messages of a batch, unless a single one has more. */
const MAX_BYTES = 4 * 1024 * 1024;
/** Each takes a round trip to the server. */
const MAX_TRIES = 100;
/** Then the server ends a batch that is not full: messages that were pending may be removed. In nanoseconds. */
const EXPIRES_NS = 500_000_000;
/** A consumer that is not asked for so long is removed: the tab may die. In nanoseconds. */
const INACTIVE_NS = 30_000_000_000;

/**
 * The messages of a stream from a sequence on, up to its last one at present. Of a subject that has several, those before the last one may be
 * left out. @throws KeyStoreError STREAM_UNAVAILABLE, StreamRequestError; Error where messages are lost; the signal's reason
 */
export async function* streamBatches(requests: StreamRequests, range: BatchRange): AsyncGenerator<StreamBatch, void> {
  const { info, subject, signal } = range;
  const { name, max_msgs_per_subject: history, allow_direct: allowsDirect } = info.config;
  const end = info.state.last_seq;
  const isDirect = allowsDirect === true && requests.isAtLeast(2, 11) && (history === 1 || range.from > 1);
  let upTo = range.from - 1;
  while (upTo < end) {
    const open = { ...range, from: upTo + 1 };
    for await (const batch of isDirect ? directBatches(requests, open) : consumerBatches(requests, open)) {
      upTo = Math.max(upTo, batch.upTo);
      yield batch;
    }
    if (upTo >= end) return;
    signal?.throwIfAborted();
    // The last messages are of other subjects, or were removed; or another replica than the leader has answered, and has not got them yet.
    const next = await nextMessage(requests, name, upTo + 1, subject);
    upTo = next?.sequence ?? end;
    yield { messages: next === undefined ? [] : [next], upTo, pending: 0 };
  }
}

/** With batched direct get. Any replica answers. */
async function* directBatches(requests: StreamRequests, { info, subject, from, signal }: BatchRange): AsyncGenerator<StreamBatch> {
  const batch = messagesPerBatch(info);
  for (let next = from, pending = 1; pending > 0;) {
    const messages: StreamMessage[] = [];
    let last = 0;
    const body = { seq: next, batch, max_bytes: MAX_BYTES, next_by_subj: subject };
    await requests.collect(
      `$JS.API.DIRECT.GET.${info.config.name}`,
      body,
      (reply) => {
        const isEnd = reply.status === 204;
        if (reply.status === 404) pending = 0;
        else if (reply.status >= 300) throw new Error(`The server answers a request for messages with ${reply.status}.`);
        else if (Number(reply.header("Nats-Last-Sequence")) !== last) throw new Error("The connection has lost messages of the stream.");
        else if (isEnd) pending = Number(reply.header("Nats-Num-Pending"));
        else {
          const message = directMessage(reply);
          // Otherwise the pull would never end.
          if (message.sequence < Math.max(next, last + 1)) throw new Error("The server sent a message that is before the requested ones.");
          last = message.sequence;
          messages.push(message);
        }
        return isEnd || pending === 0;
      },
      { signal },
    );
    if (messages.length === 0) return;
    next = last + 1;
    yield { messages, upTo: last, pending };
  }
}

interface CreatedConsumer {
  readonly name: string;
  readonly num_pending: number;
}

/** With a consumer that lives as long as the iteration. From the first message on: the last message of each subject only. */
async function* consumerBatches(requests: StreamRequests, { info, subject, from, signal }: BatchRange): AsyncGenerator<StreamBatch> {
  const stream = info.config.name;
  const name = randomId();
  const start = from <= 1 ? { deliver_policy: "last_per_subject" } : { deliver_policy: "by_start_sequence", opt_start_seq: from };
  const config = {
    ...start,
    name,
    ack_policy: "none",
    replay_policy: "instant",
    filter_subject: subject,
    inactive_threshold: INACTIVE_NS,
    mem_storage: true,
    num_replicas: 1,
  };
  const api = "$JS.API.CONSUMER";
  let { num_pending: pending } = await requests.request<CreatedConsumer>(`${api}.CREATE.${stream}.${name}.${subject}`, {
    stream_name: stream,
    config,
  });
  try {
    const perBatch = messagesPerBatch(info);
    while (pending > 0) {
      const messages: StreamMessage[] = [];
      const batch = Math.min(perBatch, pending);
      const request = (): Promise<void> =>
        requests.collect(
          `${api}.MSG.NEXT.${stream}.${name}`,
          { batch, no_wait: true, expires: EXPIRES_NS },
          (reply) => {
            if (reply.status !== 0) return true;
            const delivered = consumerMessage(reply);
            pending = delivered.pending;
            return messages.push(delivered.message) === batch || pending === 0;
          },
          { areMessages: true, signal },
        );
      await onceKnown(request);
      const last = messages.at(-1);
      // Newer messages of their keys have replaced those that were pending.
      if (last === undefined) return;
      yield { messages, upTo: last.sequence, pending };
    }
  } finally {
    // The server removes it otherwise.
    await requests.request(`${api}.DELETE.${stream}.${name}`).catch(() => undefined);
  }
}

/** Repeats a request to a new consumer: the other servers of a cluster learn of it a moment later. */
async function onceKnown(request: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await request();
    } catch (error) {
      if (!isNoResponders(error) || tries === MAX_TRIES) throw error;
    }
  }
}

function messagesPerBatch({ state: { bytes, messages } }: StreamInfo): number {
  const average = bytes / Math.max(1, messages);
  return Math.max(1, Math.min(MAX_MESSAGES, Math.floor(MAX_BYTES / Math.max(1, average))));
}
