import { connect, type ConnectionOptions, type Msg } from "nats";
import { withDeadline } from "./deadline.ts";

/** The library's message format. A test checks the fields. */
export interface Envelope {
  operation: string;
  key: string;
  value?: string;
  metadata?: {
    format: string;
    ttl: number | null;
    tags: string[];
    checksum: string;
    created_at: string;
    updated_at: string;
    version: number;
    size: number;
    origin: string;
    encoding?: string;
    encryption?: { algorithm: string; key_id: string; nonce: string };
  };
  timestamp?: string;
  version?: number;
  origin?: string;
}

export interface WireMessage {
  subject: string;
  headers: Record<string, string>;
  /** The data parsed as JSON, unchecked. Undefined if it is not JSON. */
  envelope: Envelope | undefined;
  text: string;
  data: Uint8Array;
}

/** All messages that a server delivers to another client. */
export interface Wire {
  readonly messages: readonly WireMessage[];
  /** Resolves to all messages once there are `count`. Rejects with the messages so far if they do not arrive in time. */
  waitFor(count: number): Promise<readonly WireMessage[]>;
  /** Resolves to all messages once every message has arrived that the server read before this call. */
  settled(): Promise<readonly WireMessage[]>;
  close(): Promise<void>;
}

/**
 * Subscribes to all subjects over TCP. The wire ends with its server, and a restarted server gets a new one: a wire that reconnects would
 * silently miss messages.
 */
export async function openWire(tcpUrl: string, options: ConnectionOptions = {}): Promise<Wire> {
  const connection = await connect({ servers: tcpUrl, reconnect: false, ...options });
  const messages: WireMessage[] = [];
  const arrivals = new EventTarget();
  let problem: Error | undefined;
  connection.subscribe(">", {
    callback: (error, message) => {
      if (error) problem = error;
      else messages.push(decode(message));
      arrivals.dispatchEvent(new Event("arrival"));
    },
  });
  await connection.flush(); // the server has the subscription

  const reached = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (problem) reject(problem);
        else if (messages.length >= count) resolve();
        else arrivals.addEventListener("arrival", look, { once: true });
      };
      look();
    });

  return {
    messages,
    waitFor: async (count) => {
      await withDeadline(reached(count), () => `${messages.length} of ${count} messages came: ${summary(messages)}`);
      return messages;
    },
    settled: async () => {
      await withDeadline(connection.flush(), () => "The server does not answer the wire");
      return messages;
    },
    close: () => connection.close(),
  };
}

/** A message as tests read it. */
export function decode(message: Pick<Msg, "subject" | "headers" | "data">): WireMessage {
  const headers: Record<string, string> = {};
  for (const [name, values] of message.headers ?? []) headers[name] = values.join(", ");
  const text = new TextDecoder().decode(message.data);
  return { subject: message.subject, headers, envelope: parse(text), text, data: message.data };
}

function parse(text: string): Envelope | undefined {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return undefined;
  }
}

function summary(messages: readonly WireMessage[]): string {
  return messages.map(({ subject, text }) => `\n  ${subject} ${text.slice(0, 200)}`).join("") || "none";
}
