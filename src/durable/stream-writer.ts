import { messageFor, type Message } from "../model/envelope.ts";
import type { Emit } from "../model/events.ts";
import { isTombstone, liveEntry, type Row } from "../model/row.ts";
import type { Transport } from "../network/transport.ts";
import { publishedRow } from "../relay/commit-publisher.ts";
import type { Committer } from "../storage/commit/committer.ts";
import { inStream, type Draft, type NewRow } from "../storage/commit/draft.ts";
import { lastVersion } from "../storage/commit/given-version.ts";
import { find } from "../storage/entries/find.ts";
import { readRevision, revisionOf, seenRevision } from "../storage/entries/revisions.ts";
import { readFloor } from "../storage/entries/version-floor.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX, REVISIONS } from "../storage/idb/schema.ts";
import type { Clock } from "../util/clock.ts";
import { KeyStoreError } from "../util/errors.ts";
import { randomId } from "../util/random-id.ts";
import type { StreamDraft, StreamWritten, WriteToStream } from "../write/stream-write.ts";
import { assertBatches, assertBatchSize, batchOf } from "./batch.ts";
import type { StreamApi, StreamInfo } from "./stream-api.ts";
import { batchError, conflict, notAcknowledged, refusalOf } from "./write-error.ts";

export interface StreamWriterPorts {
  readonly namespace: string;
  readonly clock: Pick<Clock, "now">;
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "caughtUp" | "commit" | "statesOf">;
  readonly transport: Pick<Transport, "publish">;
  readonly api: Pick<StreamApi, "findStream" | "use">;
  /** Up to which revision this browser has pulled all keys. */
  readonly pulledTo: () => number;
  /** Publishes unconfirmed writes. */
  readonly flush: () => Promise<unknown>;
  readonly emit: Emit;
}

/** A write as it is published, and as it is committed once the stream has it. */
interface Prepared {
  readonly draft: Draft;
  readonly ifRevision: number | undefined;
  readonly message: Message;
  readonly row: NewRow<Row>;
  readonly existed: boolean;
}

/**
 * Writes that are published first: they are committed once the stream has acknowledged them, so that a write that loses leaves the entry as it
 * was. None of them is ever in the outbox. A tab that ends before the commit loses nothing: the next pull brings the message.
 */
export class StreamWriter {
  readonly #ports: StreamWriterPorts;

  constructor(ports: StreamWriterPorts) {
    this.#ports = ports;
  }

  readonly write: WriteToStream = async (writes, atomic) => {
    if (atomic) assertBatchSize(writes.length);
    const prepared = await this.#prepare(writes);
    return atomic ? this.#writeBatch(prepared.map(orThrow)) : this.#writeEach(prepared);
  };

  async #writeEach(all: readonly (Prepared | Error)[]): Promise<PromiseSettledResult<StreamWritten>[]> {
    const sent = all.filter((prepared): prepared is Prepared => !(prepared instanceof Error));
    const published = sent.length === 0 ? [] : await this.#ports.transport.publish(sent.map(({ message }) => message));
    const results = new Map(sent.map((prepared, index) => [prepared, published[index]]));
    const outcomes = all.map(async (prepared): Promise<StreamWritten> => {
      if (prepared instanceof Error) throw prepared;
      const result = results.get(prepared);
      if (result?.status !== "confirmed") throw refusalOf(prepared.draft.key, prepared.ifRevision, result);
      await this.#commit([prepared], () => result.revision ?? 0);
      return { existed: prepared.existed };
    });
    return Promise.allSettled(outcomes);
  }

  async #writeBatch(all: readonly Prepared[]): Promise<PromiseSettledResult<StreamWritten>[]> {
    const { api, transport } = this.#ports;
    const { stream, serverVersion } = await api
      .use(async (requests) => ({ stream: await api.findStream(requests), serverVersion: requests.connection.serverVersion }))
      .catch((error: unknown) => {
        throw notAcknowledged(error);
      });
    assertBatches(serverVersion, stream);
    const messages = all.map(({ message }) => message);
    const results = await transport.publish(batchOf(messages, stream));
    const last = results.at(-1);
    if (last?.status !== "confirmed" || last.revision === undefined) {
      throw await batchError(all, results, (revision) => this.#subjectAt(stream, revision));
    }
    // The stream stores the messages of a batch one after another.
    const first = last.revision - all.length + 1;
    await this.#commit(all, (index) => first + index);
    return all.map(({ existed }) => ({ status: "fulfilled", value: { existed } }));
  }

  /** Undefined: not known. */
  async #subjectAt({ config: { name } }: StreamInfo, sequence: number): Promise<string | undefined> {
    const asking = this.#ports.api.use((requests) =>
      requests.request<{ message: { subject: string } }>(`$JS.API.STREAM.MSG.GET.${name}`, { seq: sequence }),
    );
    return asking.then(
      ({ message }) => message.subject,
      () => undefined,
    );
  }

  /** Commits writes that the stream has, in one transaction. @throws KeyStoreError QUOTA_EXCEEDED, STORAGE_UNAVAILABLE */
  async #commit(all: readonly Prepared[], revisionAt: (index: number) => number): Promise<void> {
    const drafts = all.map(({ draft, row }, index): Draft => {
      const revision = revisionAt(index);
      const stored = isTombstone(row as Row) ? row : { ...row, revision };
      return { ...draft, policy: inStream(row.version, revision), next: () => stored };
    });
    try {
      // A key that has a newer revision by now, or a write that is not confirmed, stays as it is.
      await this.#ports.committer.commit(drafts);
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error;
      const message = `${error.message} The stream has the write: the next pull() brings it.`;
      throw new KeyStoreError(error.code, message, { ...error, cause: error.cause });
    }
    for (const { draft, row } of all) this.#ports.emit("published", { key: draft.key, version: row.version, operation: draft.operation });
  }

  /** For each write its message and its row, or the error that refuses it. Unconfirmed writes of the keys are published before. */
  async #prepare(writes: readonly StreamDraft[]): Promise<(Prepared | Error)[]> {
    const { committer, flush } = this.#ports;
    // The revisions of own writes are recorded a moment after their confirmation.
    await committer.caughtUp();
    const { prepared, areConfirmed } = await this.#read(writes);
    if (areConfirmed) return prepared;
    await flush();
    await committer.caughtUp();
    return (await this.#read(writes)).prepared;
  }

  #read(writes: readonly StreamDraft[]): Promise<{ prepared: (Prepared | Error)[]; areConfirmed: boolean }> {
    const { clock, committer, database } = this.#ports;
    const keys = writes.map(({ draft }) => draft.key);
    return database.run([ENTRIES, OUTBOX, REVISIONS], "readonly", async (transaction, generation) => {
      const [{ rows }, floor, revisions] = await Promise.all([
        find(transaction, keys),
        readFloor(transaction),
        Promise.all(keys.map((key) => readRevision(transaction, key))),
      ]);
      const states = await committer.statesOf(
        transaction,
        Array.from(rows.values(), ({ writeId }) => writeId),
      );
      const unconfirmed = new Set([...rows.keys()].filter((_, index) => states[index] !== undefined));
      const prepare = (write: StreamDraft, index: number): Prepared | Error => {
        const { key } = write.draft;
        const row = rows.get(key);
        if (unconfirmed.has(key)) return notAcknowledged(new Error("This browser has a write of the key that is not confirmed"), key);
        const known = revisions[index];
        const revision = row === undefined ? known?.revision : revisionOf(row, known);
        if (write.isUpdate === true && (revision ?? 0) !== write.ifRevision)
          return conflict(key, write.ifRevision, revision ?? 0, "this browser");
        try {
          return this.#messageOf(write, row, floor, clock.now(), generation);
        } catch (error) {
          return error as Error;
        }
      };
      return { prepared: writes.map(prepare), areConfirmed: unconfirmed.size === 0 };
    });
  }

  /** @throws what the draft throws */
  #messageOf({ draft, ifRevision }: StreamDraft, present: Row | undefined, floor: number, now: number, generation: string): Prepared {
    const { namespace, pulledTo } = this.#ports;
    const replaced = liveEntry(present, now);
    const row = draft.next(replaced, lastVersion({ row: present }, floor) + 1, now) as NewRow<Row>;
    const base = ifRevision ?? seenRevision(present) ?? pulledTo();
    const published = publishedRow(draft, { ...row, key: draft.key, writeId: ["", 0], base });
    const condition = ifRevision === undefined ? undefined : { headers: { "Nats-Expected-Last-Subject-Sequence": ifRevision } };
    // Must not be the id of another message: the stream would take it for that one, whatever it expects.
    const message = { ...messageFor(namespace, draft.key, published, generation, draft.quoted), id: randomId(), ...condition };
    return { draft, ifRevision, message, row, existed: replaced !== undefined };
  }
}

function orThrow(prepared: Prepared | Error): Prepared {
  if (prepared instanceof Error) throw prepared;
  return prepared;
}
