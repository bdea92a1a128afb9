import { connect, headers, type StreamState } from "nats";
import type { NatsServer } from "./nats-server.ts";
import { expectedSubject } from "./messages.ts";
import { readStream, type StoredMessage } from "./stream.ts";

/** The stream of a namespace, for a client of another kind: over TCP, with another library. */
export interface Stream {
  /** Publishes to a subject. Resolves to the stream sequence. */
  publish(subject: string, data: string | Uint8Array, fields?: Readonly<Record<string, string>>): Promise<number>;
  /** Publishes envelopes to the subjects of their keys, many at once. */
  publishAll(envelopes: readonly { readonly key: string }[]): Promise<void>;
  subjectOf(key: string): string;
  /** The last message of each subject, by subject. */
  lastMessages(): Promise<ReadonlyMap<string, StoredMessage>>;
  /** `last_seq`, `messages`, `consumer_count` … */
  state(): Promise<StreamState>;
  close(): Promise<void>;
}

/** How many answers a client waits for at the same time. */
const AT_ONCE = 500;

/** Connects to the stream that `ensureStream()` has created for a namespace. */
export async function openStream(server: NatsServer, namespace: string): Promise<Stream> {
  const name = `NAS_${namespace}`;
  const connection = await connect({ servers: server.tcpUrl });
  const jetstream = connection.jetstream();
  const manager = await connection.jetstreamManager();
  const publish = async (subject: string, data: string | Uint8Array, fields: Readonly<Record<string, string>> = {}): Promise<number> => {
    const header = headers();
    for (const [field, value] of Object.entries(fields)) header.set(field, value);
    const { seq } = await jetstream.publish(subject, data, { headers: header });
    return seq;
  };
  const subjectOf = (key: string): string => expectedSubject(namespace, key);
  return {
    publish,
    subjectOf,
    publishAll: async (envelopes) => {
      for (const some of batches(envelopes, AT_ONCE)) {
        await Promise.all(some.map((envelope) => publish(subjectOf(envelope.key), JSON.stringify(envelope))));
      }
    },
    lastMessages: async () => {
      const messages = await readStream(manager, name);
      return new Map(messages.map((message) => [message.subject, message]));
    },
    state: async () => (await manager.streams.info(name)).state,
    close: () => connection.close(),
  };
}

function* batches<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}
