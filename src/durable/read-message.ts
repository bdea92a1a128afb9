import { LONG_AGO, isExpired } from "../model/row.ts";
import { keyOf } from "../model/subject.ts";
import { inStream, type CommitPolicy, type Draft } from "../storage/commit/draft.ts";
import { draftOf, isUnable, type EnvelopePorts } from "../transfer/envelope-drafts.ts";
import { readDelete, readEnvelope } from "../transfer/read-envelope.ts";
import type { Encrypter } from "../values/encryption.ts";
import type { StreamMessage } from "./stream-message.ts";
import { BASE_HEADER } from "./stream-publisher.ts";

/** A message whose envelope is sound, before its commit. Its headers are not read before they are needed: to parse them takes a while. */
export interface PulledMessage {
  readonly message: StreamMessage;
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
  return draft && { message, draft };
}

async function draftOfMessage(
  ports: EnvelopePorts,
  key: string,
  message: StreamMessage,
  now: number,
  encrypter: Encrypter | undefined,
): Promise<Draft | undefined> {
  // The server has removed the last message of the subject, and says so.
  if (message.data.length === 0 && message.header("Nats-Marker-Reason") !== "") return removal(message, key, undefined, now);
  try {
    const envelope: unknown = JSON.parse(text.decode(message.data));
    const deleted = readDelete(envelope);
    if (deleted !== undefined) return deleted.key === key ? removal(message, key, deleted.version, deleted.deletedAt) : undefined;
    const read = readEnvelope(envelope);
    if (read.key !== key) return undefined;
    // The key has no entry any more, whatever it had before.
    if (isExpired(read, now)) return removal(message, key, read.version, now);
    return await draftOf(ports, read, encrypter, policyOf(message, read.version));
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
    policy: policyOf(message, version ?? "next"),
    weight: 0,
    next: (_current, given) => ({ deletedAt, version: given, expiresAt: LONG_AGO }),
  };
}

function policyOf(message: StreamMessage, version: CommitPolicy["version"]): CommitPolicy {
  return {
    ...inStream(version, message.sequence),
    // Undefined: the writer does not tell.
    get base() {
      const base = message.header(BASE_HEADER);
      return /^\d{1,15}$/.test(base) ? Number(base) : undefined;
    },
  };
}
