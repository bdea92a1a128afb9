import { vi } from "vitest";

import type { StreamInfo, StreamRequests } from "../durable/stream-api.ts";
import { StreamRequestError } from "../durable/stream-error.ts";
import { StreamWriter } from "../durable/stream-writer.ts";
import type { Row } from "../model/row.ts";
import type { PublishResult } from "../network/transport.ts";
import type { CommitterOptions } from "../storage/commit/committer.ts";
import type { Draft } from "../storage/commit/draft.ts";
import { find } from "../storage/entries/find.ts";
import { readRevision } from "../storage/entries/revisions.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, REVISIONS } from "../storage/idb/schema.ts";
import type { StreamDraft, StreamWritten } from "../write/stream-write.ts";
import { setUpCommitter } from "./committer.ts";
import { RecordingTransport } from "./recording-transport.ts";

type Written = PromiseSettledResult<StreamWritten>;

/** A writer to a stream that acknowledges each message, one revision after another. */
export function setUp(given: Partial<CommitterOptions> = {}) {
  const { database, committer, groups } = setUpCommitter(given);
  const transport = new RecordingTransport();
  let revision = 0;
  transport.answer = () => ({ status: "confirmed", revision: ++revision });
  const stream = { serverVersion: "2.12.0", allowsBatches: true, allowsTtl: true, subjects: new Map<number, string>() };
  const requests = {
    connection: stream,
    request: async (_: string, { seq }: { seq: number }) => {
      const subject = stream.subjects.get(seq);
      if (subject === undefined) throw new Error("no message found");
      return { message: { subject } };
    },
  } as unknown as StreamRequests;
  const info = () => ({ config: { name: "NAS_test", allow_atomic: stream.allowsBatches, allow_msg_ttl: stream.allowsTtl } }) as StreamInfo;
  const flush = vi.fn<() => Promise<void>>(async () => undefined);
  const events: unknown[] = [];
  const writer = new StreamWriter({
    namespace: "test",
    clock: { now: () => 1_000 },
    database,
    committer,
    transport,
    api: { use: (work) => work(requests), findStream: async () => info() },
    pulledTo: () => 0,
    flush,
    emit: (...event) => void events.push(event),
  });
  const writeAll = (writes: readonly StreamDraft[]): Promise<readonly Written[]> => writer.write(writes, false);
  return {
    database,
    committer,
    groups,
    transport,
    stream,
    flush,
    events,
    writeAll,
    write: async (write: StreamDraft): Promise<Written> => (await writeAll([write]))[0] as Written,
    writeBatch: (drafts: readonly Draft[], revisions: readonly number[] = []) =>
      writer.write(
        drafts.map((draft, index) => ({ draft, ifRevision: revisions[index] })),
        true,
      ),
  };
}

export function stored(existed: boolean): Written {
  return { status: "fulfilled", value: { existed } };
}

export function refused(code: number, errorCode: number, description: string): PublishResult {
  return { status: "rejected", error: new StreamRequestError({ code, err_code: errorCode, description }) };
}

/** @param sequence the one that the stream has */
export const WRONG_SEQUENCE = (sequence: number): PublishResult => refused(400, 10071, `wrong last sequence: ${sequence}`);

export function rowOf(database: Database, key: string): Promise<Row | undefined> {
  return database.run([ENTRIES], "readonly", async (transaction) => (await find(transaction, [key])).rows.get(key));
}

export function lastRevisionOf(database: Database, key: string): Promise<number | undefined> {
  return database.run([REVISIONS], "readonly", async (transaction) => (await readRevision(transaction, key))?.revision);
}
