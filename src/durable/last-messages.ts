import { subjectOf } from "../model/subject.ts";
import { batches } from "../util/batches.ts";
import type { StreamApi, StreamRequests } from "./stream-api.ts";
import { ErrorCode, StreamRequestError } from "./stream-error.ts";
import { directMessage, lastMessage, type StreamMessage } from "./stream-message.ts";

/** The most messages that a server gives for one request. */
const MAX_SUBJECTS = 1_024;
/** The most bytes of subjects in a request: a server accepts messages of 1 MiB, unless it is told otherwise. */
const MAX_REQUEST_BYTES = 256 * 1024;
/** About the most bytes that a server gives for one request. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Requests at the same time: a server answers some hundreds in less than `timeoutMs`. */
export const CONCURRENT_REQUESTS = 256;

/** Asks the stream for the last messages of keys. */
export class LastMessages {
  readonly #api: StreamApi;
  /** The name of the stream, as far as it is known. */
  #stream: string;

  constructor(api: StreamApi) {
    this.#api = api;
    this.#stream = api.ports.settings.durable.stream;
  }

  /** The messages of those keys that have one, in any order. @throws KeyStoreError STREAM_UNAVAILABLE, StreamRequestError */
  of(keys: readonly string[]): Promise<readonly StreamMessage[]> {
    const subjects = keys.map((key) => subjectOf(this.#api.ports.settings.namespace, key));
    return this.#api.use(async (requests) => {
      const messages: StreamMessage[] = [];
      for (const part of partsOf(subjects)) messages.push(...(await this.#ofPart(requests, part)));
      return messages;
    });
  }

  async #ofPart(requests: StreamRequests, subjects: readonly string[]): Promise<readonly StreamMessage[]> {
    if (subjects.length > 1 && requests.isAtLeast(2, 11)) {
      try {
        return await together(requests, this.#stream, subjects);
      } catch {
        // The stream may not allow direct gets, or have another name.
      }
    }
    try {
      return await oneByOne(requests, this.#stream, subjects);
    } catch (error) {
      if (!(error instanceof StreamRequestError) || error.errorCode !== ErrorCode.STREAM_NOT_FOUND) throw error;
      this.#stream = (await this.#api.findStream(requests)).config.name;
      return oneByOne(requests, this.#stream, subjects);
    }
  }
}

/** The messages of those subjects that have one. The stream's leader answers, so that no message is older than the request. */
export async function oneByOne(requests: StreamRequests, stream: string, subjects: readonly string[]): Promise<StreamMessage[]> {
  const messages: (StreamMessage | undefined)[] = [];
  for (const batch of batches(subjects, CONCURRENT_REQUESTS)) {
    messages.push(...(await Promise.all(batch.map((subject) => lastMessage(requests, stream, subject)))));
  }
  return messages.filter((message) => message !== undefined);
}

/** With batched direct gets. Any replica answers. */
async function together(requests: StreamRequests, stream: string, subjects: readonly string[]): Promise<StreamMessage[]> {
  const messages: StreamMessage[] = [];
  const open = new Set(subjects);
  for (let isWhole = false; !isWhole && open.size > 0;) {
    let last = 0;
    const before = open.size;
    await requests.collect(`$JS.API.DIRECT.GET.${stream}`, { multi_last: [...open], max_bytes: MAX_ANSWER_BYTES }, (reply) => {
      const { status } = reply;
      isWhole = status === 404 || (status === 204 && reply.header("Nats-Num-Pending") === "0");
      if (status === 404) return true;
      if (status >= 300) throw new Error(`The server answers a request for messages with ${status}.`);
      if (Number(reply.header("Nats-Last-Sequence")) !== last) throw new Error("The connection has lost messages of the stream.");
      if (status === 204) return true;
      const message = directMessage(reply);
      last = message.sequence;
      if (open.delete(message.subject)) messages.push(message);
      return false;
    });
    // Otherwise another request would have the same answer.
    if (!isWhole && open.size === before) throw new Error("The server gives no messages.");
  }
  return messages;
}

/** Parts that fit into one request each. */
function* partsOf(subjects: readonly string[]): Generator<readonly string[]> {
  let part: string[] = [];
  let bytes = 0;
  for (const subject of subjects) {
    // A character has at most three bytes.
    const size = 3 * subject.length;
    if (part.length === MAX_SUBJECTS || (bytes + size > MAX_REQUEST_BYTES && part.length > 0)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(subject);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
