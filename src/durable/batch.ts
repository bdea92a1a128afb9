import type { Message } from "../model/envelope.ts";
import { KeyStoreError } from "../util/errors.ts";
import { randomId } from "../util/random-id.ts";
import { isAtLeast } from "./server-version.ts";
import type { StreamInfo } from "./stream-api.ts";
import { BATCH_ID_HEADER } from "./stream-publisher.ts";

/** A server takes no larger batch, unless it is configured so. */
const MAX_MESSAGES = 1_000;

/** @throws KeyStoreError PAYLOAD_TOO_LARGE */
export function assertBatchSize(count: number): void {
  if (count > MAX_MESSAGES) throw batchTooLarge(`it has ${count} items; a stream takes at most ${MAX_MESSAGES}`);
}

export function batchTooLarge(reason: string): KeyStoreError {
  return new KeyStoreError(
    "PAYLOAD_TOO_LARGE",
    `The atomic call is too large (${reason}). Nothing has changed. Store fewer items in a call.`,
  );
}

/** Must come before the first message: a server that knows no batches would store each message by itself. @throws KeyStoreError STREAM_UNAVAILABLE */
export function assertBatches(serverVersion: string, { config: { name, allow_atomic: allowsBatches = false } }: StreamInfo): void {
  const missing = !isAtLeast(serverVersion, 2, 12)
    ? `nats-server 2.12 or newer; this one is ${serverVersion || "of an unknown version"}`
    : allowsBatches
      ? undefined
      : `a stream that allows atomic publishing; set allow_atomic of the stream "${name}"`;
  if (missing === undefined) return;
  throw new KeyStoreError("STREAM_UNAVAILABLE", `An atomic call needs ${missing}. Nothing has changed.`);
}

/** The messages as one batch. They have no ids: servers refuse them in a batch, or ignore them. */
export function batchOf(messages: readonly Message[], { config: { allow_msg_ttl: allowsTtl = false } }: StreamInfo): Message[] {
  const batch = randomId();
  return messages.map((message, index) => ({
    ...message,
    id: "",
    // One message that is refused for its TTL would end the batch.
    expiresAt: allowsTtl ? message.expiresAt : undefined,
    headers: {
      ...message.headers,
      [BATCH_ID_HEADER]: batch,
      "Nats-Batch-Sequence": index + 1,
      ...(index === messages.length - 1 ? { "Nats-Batch-Commit": 1 } : undefined),
    },
  }));
}
