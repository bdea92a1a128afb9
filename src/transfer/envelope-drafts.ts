import type { EntryRow, StoredPayload } from "../model/row.ts";
import type { Settings } from "../options/defaults.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Commit, CommitPolicy, Draft, NewRow } from "../storage/commit/draft.ts";
import { KeyStoreError, type KeyStoreErrorCode } from "../util/errors.ts";
import type { Encrypter } from "../values/encryption.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import type { KeyQueue } from "../write/key-queue.ts";
import { checkMessageSize } from "../write/message-size.ts";
import type { ReadEnvelope } from "./read-envelope.ts";
import { verifiedPayload } from "./verified-payload.ts";

export interface EnvelopePorts {
  readonly settings: Pick<Settings, "namespace" | "maxPayloadBytes" | "encryption">;
  /** The current time, as a time of use. */
  readonly useTime: () => number;
}

export interface OrderPorts {
  readonly committer: Pick<Committer, "commit">;
  readonly queue: Pick<KeyQueue, "enter">;
}

/** Undefined: the store does not encrypt. @throws KeyStoreError DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT, STORAGE_UNAVAILABLE */
export async function encrypterFor({ namespace, encryption }: EnvelopePorts["settings"]): Promise<Encrypter | undefined> {
  return encryption && (await encryptionPart.load()).encrypterOf({ namespace, encryption });
}

/** Verifies an envelope. Undefined for one that is damaged or too large. @throws KeyStoreError STORAGE_UNAVAILABLE, INSECURE_CONTEXT */
export async function draftOf(
  { settings, useTime }: EnvelopePorts,
  envelope: ReadEnvelope,
  encrypter: Encrypter | undefined,
  policy: CommitPolicy,
): Promise<Draft | undefined> {
  const { key, tags, ttl } = envelope;
  const { namespace, maxPayloadBytes } = settings;
  try {
    const { stored: plain, original } = await verifiedPayload(envelope, maxPayloadBytes);
    const encrypts = encrypter !== undefined && original !== undefined;
    checkMessageSize(
      namespace,
      key,
      { ...plain, original: "", digest: plain },
      { ttl, tags },
      maxPayloadBytes,
      encrypts && encrypter.messages,
    );
    const stored = encrypts ? (await encrypter.encrypt(key, { ...plain, original })).stored : plain;
    const { revision } = policy;
    const row = { ...rowOf(envelope, stored), ...(revision === undefined ? undefined : { revision }) };
    return {
      key,
      operation: "store",
      policy,
      weight: stored.payload.length,
      next: (_current, version) => ({ ...row, version, lastUsed: useTime() }),
    };
  } catch (error) {
    if (isUnable(error)) throw error;
    return undefined;
  }
}

/** Whether nothing can be verified. */
export function isUnable(error: unknown): boolean {
  return error instanceof KeyStoreError && UNABLE.has(error.code);
}

const UNABLE: ReadonlySet<KeyStoreErrorCode> = new Set(["STORAGE_UNAVAILABLE", "INSECURE_CONTEXT"]);

function rowOf(envelope: ReadEnvelope, stored: StoredPayload): Omit<NewRow<EntryRow>, "lastUsed" | "version"> {
  const { createdAt, updatedAt, ttl, expiresAt, tags } = envelope;
  return {
    ...stored,
    createdAt,
    updatedAt,
    ttl,
    // Left out, not undefined or empty: an index costs time for every row that is in it.
    ...(expiresAt === undefined ? undefined : { expiresAt }),
    ...(tags.length === 0 ? undefined : { tags }),
  };
}

/** Commits drafts in one transaction, after earlier writes of their keys. @returns the commits of those that were newer than the database */
export async function commitInOrder(
  { committer, queue }: OrderPorts,
  drafts: readonly Draft[],
  signal: AbortSignal | undefined,
): Promise<readonly Commit[]> {
  const place = queue.enter(drafts.map(({ key }) => key));
  try {
    await place.turn;
    // Also without drafts: a transaction lets the page do other work.
    const committing = committer.commit(drafts, signal);
    place.handedOver();
    return await committing;
  } finally {
    place.leave();
  }
}
