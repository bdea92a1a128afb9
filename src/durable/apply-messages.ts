import type { Emit } from "../model/events.ts";
import type { EntryRow } from "../model/row.ts";
import type { Payload } from "../model/metadata.ts";
import { metadataOf } from "../read/catalog.ts";
import type { Settler } from "../relay/settler.ts";
import { SLICE_BYTES, SLICE_WRITES, type Commit } from "../storage/commit/draft.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { OUTBOX } from "../storage/idb/schema.ts";
import type { OutboxWrite } from "../storage/outbox/outbox-record.ts";
import { outboxRecords } from "../storage/outbox/outbox-table.ts";
import { commitInOrder, encrypterFor, type EnvelopePorts, type OrderPorts } from "../transfer/envelope-drafts.ts";
import { abortable } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";
import { decode } from "../values/formats.ts";
import { readMessage, type PulledMessage } from "./read-message.ts";
import type { StreamMessage } from "./stream-message.ts";

export interface ApplyPorts extends EnvelopePorts, OrderPorts {
  readonly clock: Pick<Clock, "now">;
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "commit" | "caughtUp">;
  readonly settler: Pick<Settler, "settle">;
  /** To the stores of the engine. */
  readonly emit: Emit;
  /** The payload of any row. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED */
  readonly payloadOf: (key: string, row: EntryRow) => Promise<Payload>;
}

/** Messages that were read and verified. */
export interface PreparedMessages {
  readonly sound: readonly PulledMessage[];
  /** How many are malformed, damaged or foreign. */
  readonly rejected: number;
}

export interface AppliedMessages {
  /** Entries that were written. */
  readonly applied: number;
  /** Entries that were removed. */
  readonly deleted: number;
  /** Messages that have changed nothing. */
  readonly skipped: number;
  /** Keys whose messages were skipped for an unconfirmed write. */
  readonly again: readonly string[];
}

/**
 * Reads and verifies messages.
 * @throws KeyStoreError STORAGE_UNAVAILABLE, INSECURE_CONTEXT, DECRYPT_FAILED or INVALID_OPTION without a key; the signal's reason
 */
export async function prepareMessages(
  ports: ApplyPorts,
  messages: readonly StreamMessage[],
  signal: AbortSignal | undefined,
): Promise<PreparedMessages> {
  // The app's function that returns the key may wait for a person.
  const encrypter = await abortable(signal, () => encrypterFor(ports.settings));
  const now = ports.clock.now();
  const read = await Promise.all(messages.map((message) => readMessage(ports, message, now, encrypter)));
  const sound = read.filter((message) => message !== undefined);
  return { sound, rejected: read.length - sound.length };
}

/**
 * Commits those of the messages that are newer than what this browser has, and reports conflicts. Entries with an unconfirmed write stay as they
 * are. A message that is such a write confirms it.
 * @throws KeyStoreError QUOTA_EXCEEDED, STORAGE_UNAVAILABLE; the signal's reason. What was committed before stays
 */
export async function applyMessages(
  ports: ApplyPorts,
  { sound }: PreparedMessages,
  signal: AbortSignal | undefined,
): Promise<AppliedMessages> {
  const unconfirmed = await settleOwn(ports, sound);
  // Together, so that the committer begins the next transaction while the last one ends.
  const slices = Array.from(slicesOf(sound), (slice) =>
    commitInOrder(
      ports,
      slice.map(({ draft }) => draft),
      signal,
    ),
  );
  const outcomes = await Promise.allSettled(slices);
  const commits = outcomes.flatMap((outcome): readonly Commit[] => (outcome.status === "fulfilled" ? outcome.value : []));
  for (const { draft, overruled } of commits) if (overruled !== undefined) await reportConflict(ports, draft.key, overruled);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  const changed = new Set(commits.map(({ draft }) => draft));
  const skipped = sound.filter(({ draft }) => !changed.has(draft));
  const applied = commits.filter(({ draft }) => draft.operation === "store").length;
  const deleted = commits.filter(({ draft, replaced }) => draft.operation === "delete" && replaced !== undefined).length;
  const again = skipped.flatMap(({ draft: { key } }) => (unconfirmed.has(key) ? [key] : []));
  return { applied, deleted, skipped: sound.length - applied - deleted, again };
}

/**
 * Confirms the queued writes of this browser that are among the messages: their acknowledgements were lost. A write that is being sent gets its
 * acknowledgement.
 * @returns the keys with a write that is not confirmed. One that is made from now on gets a newer revision than the messages
 */
async function settleOwn({ committer, database, settler }: ApplyPorts, messages: readonly PulledMessage[]): Promise<ReadonlySet<string>> {
  const readOutbox = () => database.run([OUTBOX], "readonly", outboxRecords);
  if ((await readOutbox()).length === 0) return new Set();
  // Writes that are confirmed leave the outbox a moment later, when the table of revisions has theirs.
  await committer.caughtUp();
  const records = await readOutbox();
  const unconfirmed = new Map<string, string>();
  const queued = new Map<string, { readonly instanceId: string; readonly write: OutboxWrite }>();
  for (const [[instanceId], { state, writes }] of records) {
    for (const write of writes) {
      const id = `${instanceId}-${write.sequence}`;
      unconfirmed.set(id, write.key);
      if (state === "queued") queued.set(id, { instanceId, write });
    }
  }
  // Another client may have sent any id.
  const found = messages.filter(({ message, draft: { key, operation, policy } }) => {
    const write = queued.get(idOf(message))?.write;
    return write?.key === key && write.operation === operation && write.version === policy.version;
  });
  if (found.length > 0) {
    settler.settle(
      found.map(({ message }) => queued.get(idOf(message))!),
      found.map(({ message: { sequence } }) => ({ status: "confirmed", revision: sequence })),
    );
    await committer.caughtUp();
    for (const { message } of found) unconfirmed.delete(idOf(message));
  }
  return new Set(unconfirmed.values());
}

function idOf(message: StreamMessage): string {
  return message.header("Nats-Msg-Id");
}

/** Parts that commit in a transaction each. */
function* slicesOf(messages: readonly PulledMessage[]): Generator<readonly PulledMessage[]> {
  let slice: PulledMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    slice.push(message);
    bytes += message.draft.weight;
    if (slice.length < SLICE_WRITES && bytes < SLICE_BYTES) continue;
    yield slice;
    slice = [];
    bytes = 0;
  }
  if (slice.length > 0) yield slice;
}

async function reportConflict({ emit, payloadOf }: ApplyPorts, key: string, row: EntryRow): Promise<void> {
  const decoded = (async () => decode(key, await payloadOf(key, row), row.format))();
  // A damaged value, or one whose key is gone, is lost all the same.
  const lost = await decoded.then(({ value }) => value).catch(() => undefined);
  emit("conflict", { key, lost, metadata: metadataOf(key, row, undefined, false, row.revision) });
}
