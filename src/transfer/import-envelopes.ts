import { isExpired, type EntryRow, type StoredPayload } from "../model/row.ts";
import type { Settings } from "../options/defaults.ts";
import type { TransferOptions } from "../options/types.ts";
import type { Committer } from "../storage/commit/committer.ts";
import { imported, SLICE_BYTES, SLICE_WRITES, type Draft, type NewRow } from "../storage/commit/draft.ts";
import type { Clock } from "../util/clock.ts";
import { KeyStoreError, type KeyStoreErrorCode } from "../util/errors.ts";
import { abortable } from "../util/abort.ts";
import { report } from "../util/progress.ts";
import type { Encrypter } from "../values/encryption.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import type { KeyQueue } from "../write/key-queue.ts";
import { checkMessageSize } from "../write/message-size.ts";
import { EnvelopeSource } from "./envelope-source.ts";
import { readEnvelope, type ReadEnvelope } from "./read-envelope.ts";
import { verifiedPayload } from "./verified-payload.ts";

export interface ImportPorts {
  readonly settings: Pick<Settings, "namespace" | "maxPayloadBytes" | "encryption">;
  readonly clock: Pick<Clock, "now">;
  readonly committer: Pick<Committer, "commit" | "durable">;
  readonly queue: Pick<KeyQueue, "enter">;
  /** The current time, as a time of use. */
  readonly useTime: () => number;
  /** Asks the browser to keep the storage, if the store's options say so. */
  readonly persist: () => void;
}

interface ImportResult {
  /** Entries that are in the database now. */
  readonly imported: number;
  /** Envelopes that are malformed, damaged, expired, or not newer than what the database has. */
  readonly skipped: number;
}

/** Envelopes that are read and verified together. */
interface Slice {
  readonly drafts: readonly Draft[];
  readonly envelopes: number;
}

/**
 * Commits the entries of envelopes, slice after slice. While one commits, the next is read and verified. Publishes nothing. A store with
 * encryption encrypts what comes in plain text.
 * @throws KeyStoreError INVALID_VALUE, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE, INSECURE_CONTEXT, DECRYPT_FAILED or INVALID_OPTION without a key; the signal's reason. What was imported before
 * stays
 */
export async function importEnvelopes(
  ports: ImportPorts,
  envelopes: unknown,
  { signal, onProgress }: TransferOptions,
): Promise<ImportResult> {
  signal?.throwIfAborted();
  const source = new EnvelopeSource(envelopes, signal);
  ports.persist();
  let result: ImportResult = { imported: 0, skipped: 0 };
  let committing = Promise.resolve();
  const commit = async ({ drafts, envelopes: count }: Slice): Promise<void> => {
    const committed = await commitSlice(ports, drafts, signal);
    result = { imported: result.imported + committed, skipped: result.skipped + count - committed };
    report(onProgress, result.imported + result.skipped);
  };
  try {
    const encrypter = await abortable(signal, () => encrypterFor(ports.settings));
    while (!source.isDone) {
      const slice = await readSlice(ports, source, encrypter);
      if (slice.envelopes === 0) break;
      await committing;
      committing = commit(slice);
      // Its error is thrown when it is awaited.
      committing.catch(() => undefined);
    }
    await committing;
    // Flushes the relaxed commits before, also those of the slices.
    if (result.imported > 0) await ports.committer.durable({ durability: "relaxed" });
    return result;
  } catch (error) {
    source.close();
    await committing.catch(() => undefined);
    if (error === signal?.reason || !(error instanceof KeyStoreError)) throw error;
    const message = `${error.message} Entries imported before: ${result.imported}. Import the same envelopes again: those are skipped.`;
    throw new KeyStoreError(error.code, message, { key: error.key, cause: error.cause });
  }
}

/** Undefined: the store does not encrypt. @throws KeyStoreError DECRYPT_FAILED, INVALID_OPTION, INSECURE_CONTEXT, STORAGE_UNAVAILABLE */
async function encrypterFor({ namespace, encryption }: ImportPorts["settings"]): Promise<Encrypter | undefined> {
  return encryption && (await encryptionPart.load()).encrypterOf({ namespace, encryption });
}

async function readSlice(ports: ImportPorts, source: EnvelopeSource, encrypter: Encrypter | undefined): Promise<Slice> {
  const read: ReadEnvelope[] = [];
  let envelopes = 0;
  let bytes = 0;
  while (envelopes < SLICE_WRITES && bytes < SLICE_BYTES) {
    const next = await source.next();
    if (next === undefined) break;
    envelopes++;
    const envelope = tryToRead(next.envelope);
    if (envelope === undefined) continue;
    // A compressed payload takes up its size while it is verified.
    bytes += Math.max(envelope.value.length, envelope.size ?? 0);
    read.push(envelope);
  }
  const drafts = await Promise.all(read.map((envelope) => draftOf(ports, envelope, encrypter)));
  return { drafts: drafts.filter((draft) => draft !== undefined), envelopes };
}

/** Must not throw: the object may be anything. */
function tryToRead(given: unknown): ReadEnvelope | undefined {
  try {
    return readEnvelope(given);
  } catch {
    return undefined;
  }
}

/** Undefined for an envelope that is damaged, too large or has expired. @throws KeyStoreError STORAGE_UNAVAILABLE, INSECURE_CONTEXT */
async function draftOf(
  { settings, clock, useTime }: ImportPorts,
  envelope: ReadEnvelope,
  encrypter: Encrypter | undefined,
): Promise<Draft | undefined> {
  if (isExpired(envelope, clock.now())) return undefined;
  const { key, version, tags, ttl } = envelope;
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
    const row = rowOf(envelope, stored);
    return {
      key,
      operation: "store",
      policy: imported(version),
      weight: stored.payload.length,
      next: () => ({ ...row, lastUsed: useTime() }),
    };
  } catch (error) {
    if (error instanceof KeyStoreError && UNABLE.has(error.code)) throw error;
    return undefined;
  }
}

/** Nothing can be verified. */
const UNABLE: ReadonlySet<KeyStoreErrorCode> = new Set(["STORAGE_UNAVAILABLE", "INSECURE_CONTEXT"]);

function rowOf(envelope: ReadEnvelope, stored: StoredPayload): Omit<NewRow<EntryRow>, "lastUsed"> {
  const { version, createdAt, updatedAt, ttl, expiresAt, tags } = envelope;
  return {
    ...stored,
    version,
    createdAt,
    updatedAt,
    ttl,
    // Left out, not undefined or empty: an index costs time for every row that is in it.
    ...(expiresAt === undefined ? undefined : { expiresAt }),
    ...(tags.length === 0 ? undefined : { tags }),
  };
}

/** @returns how many of the rows were newer than those of the database */
async function commitSlice({ committer, queue }: ImportPorts, drafts: readonly Draft[], signal: AbortSignal | undefined): Promise<number> {
  const place = queue.enter(drafts.map(({ key }) => key));
  try {
    await place.turn;
    // Also without drafts: a transaction lets the page do other work.
    const committing = committer.commit(drafts, signal);
    place.handedOver();
    return (await committing).length;
  } finally {
    place.leave();
  }
}
