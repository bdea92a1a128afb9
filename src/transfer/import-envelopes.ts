import { isExpired } from "../model/row.ts";
import type { TransferOptions } from "../options/types.ts";
import type { Committer } from "../storage/commit/committer.ts";
import { imported, SLICE_BYTES, SLICE_WRITES, type Draft } from "../storage/commit/draft.ts";
import type { Clock } from "../util/clock.ts";
import { KeyStoreError } from "../util/errors.ts";
import { abortable } from "../util/abort.ts";
import { report } from "../util/progress.ts";
import type { Encrypter } from "../values/encryption.ts";
import { commitInOrder, draftOf, encrypterFor, type EnvelopePorts, type OrderPorts } from "./envelope-drafts.ts";
import { EnvelopeSource } from "./envelope-source.ts";
import { readEnvelope, type ReadEnvelope } from "./read-envelope.ts";

export interface ImportPorts extends EnvelopePorts, OrderPorts {
  readonly clock: Pick<Clock, "now">;
  readonly committer: Pick<Committer, "commit" | "durable">;
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
    const committed = (await commitInOrder(ports, drafts, signal)).length;
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
  const now = ports.clock.now();
  const living = read.filter((envelope) => !isExpired(envelope, now));
  const drafts = await Promise.all(living.map((envelope) => draftOf(ports, envelope, encrypter, imported(envelope.version))));
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
