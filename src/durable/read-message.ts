import { LONG_AGO, isExpired } from "../model/row.ts";
import { keyOf } from "../model/subject.ts";
import { inStream, type Draft } from "../storage/commit/draft.ts";
import { draftOf, isUnable, type EnvelopePorts } from "../transfer/envelope-drafts.ts";
import { readDelete, readEnvelope } from "../transfer/read-envelope.ts";
import type { Encrypter } from "../values/encryption.ts";
import type { StreamMessage } from "./stream-message.ts";
import { BASE_HEADER } from "./stream-publisher.ts";

/** A message whose envelope is sound, before its commit. */
export interface PulledMessage {
  readonly key: string;
  readonly revision: number;
  /** Its `Nats-Msg-Id`. */
  readonly id: string;
  readonly draft: Draft;
}

/**
 * Reads and verifies a message of the stream: what it holds is a stranger's word.
 * @returns undefined: it is malformed, damaged, foreign, or its key is not that of its subject
 * @throws KeyStoreError STORAGE_UNAVAILABLE, INSECURE_CONTEXT where nothing can be verified
 */
export async function readMessage(
  ports: EnvelopePorts,
  message: StreamMessage,
  now: number,
  encrypter: Encrypter | undefined,
): Promise<PulledMessage | undefined> {
  const key = keyOf(ports.settings.namespace, message.subject);
  const draft = key === undefined ? undefined : await draftOfMessage(ports, key, message, now, encrypter);
  return draft && { key: draft.key, revision: message.sequence, id: message.header("Nats-Msg-Id"), draft };
}

async function draftOfMessage(
  ports: EnvelopePorts,
  key: string,
  message: StreamMessage,
  now: number,
  encrypter: Encrypter | undefined,
): Promise<Draft | undefined> {
  // The server has removed the last message of the subject, and says so.
  if (message.header("Nats-Marker-Reason") !== "") return removal(message, key, undefined, now);
  try {
    const envelope: unknown = JSON.parse(text.decode(message.data));
    const deleted = readDelete(envelope);
    if (deleted !== undefined) return deleted.key === key ? removal(message, key, deleted.version, deleted.deletedAt) : undefined;
    const read = readEnvelope(envelope);
    if (read.key !== key) return undefined;
    // The key has no entry any more, whatever it had before.
    if (isExpired(read, now)) return removal(message, key, read.version, now);
    return await draftOf(ports, read, encrypter, inStream(read.version, message.sequence, baseOf(message)));
  } catch (error) {
    if (isUnable(error)) throw error;
    return undefined;
  }
}

const text = new TextDecoder("utf-8", { fatal: true });

function removal(message: StreamMessage, key: string, version: number | undefined, deletedAt: number): Draft {
  return {
    key,
    operation: "delete",
    policy: inStream(version ?? "next", message.sequence, baseOf(message)),
    weight: 0,
    next: (_current, given) => ({ deletedAt, version: given, expiresAt: LONG_AGO }),
  };
}

/** Undefined: the writer does not tell. */
function baseOf(message: StreamMessage): number | undefined {
  const base = message.header(BASE_HEADER);
  return /^\d{1,15}$/.test(base) ? Number(base) : undefined;
}
