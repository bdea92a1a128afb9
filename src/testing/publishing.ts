import { vi } from "vitest";
import type { EntryRow } from "../model/row.ts";
import type { Emit } from "../model/events.ts";
import { openPublishing, type Publishing, type PublishingPorts } from "../runtime/publishing.ts";
import type { WriteState } from "../storage/outbox/outbox-record.ts";
import type { SettledWrites } from "../tabs/messages.ts";
import { newCommitter } from "./committer.ts";
import { FakeClock } from "./fake-clock.ts";
import { allOutbox, openDatabase, putOutbox, putRows } from "./indexeddb.ts";
import { RecordingTransport } from "./recording-transport.ts";
import { entryRow } from "./rows.ts";

/** The parts of the instance "me" that commit and publish, over a recording transport. It does nothing in the background unless asked to. */
export function setUpPublishing(given: Partial<PublishingPorts> = {}) {
  const clock = new FakeClock();
  const database = openDatabase();
  const living = new Set([given.instanceId ?? "me"]);
  const emit = vi.fn<Emit>();
  const onSettled = vi.fn<(writes: SettledWrites) => void>();
  const committer = newCommitter(database, {
    instanceId: given.instanceId ?? "me",
    mayPublish: () => publishing.commitPublisher.mayPublish,
    onCommitted: (commits) => publishing.commitPublisher.publish(commits),
  });
  let transport!: RecordingTransport;
  const publishing: Publishing = openPublishing({
    clock,
    emit,
    namespace: "test",
    instanceId: "me",
    isDurable: false,
    database,
    committer,
    timeoutMs: 2_000,
    inBackground: false,
    isLoopback: true,
    alone: async (work) => (await work(), true),
    livingInstances: async () => new Set(living),
    stores: () => [],
    openTransport: (listener) => (transport = new RecordingTransport(listener)),
    onSettled,
    onDiscarded: () => undefined,
    writesCommitted: async () => undefined,
    ...given,
  });
  return { ...publishing, publishing, clock, database, living, emit, onSettled, committer, transport, outbox: () => outboxOf(database) };
}

/** The writes in the outbox, as `instance state key`. */
export async function outboxOf(database: ReturnType<typeof openDatabase>): Promise<string[]> {
  return (await allOutbox(database)).flatMap(([[instanceId], { state, writes }]) =>
    writes.map(({ key }) => `${instanceId} ${state} ${key}`),
  );
}

/** Leaves writes of an instance in the outbox, as another tab does: in one record, or each in a record of its own. */
export async function leaveWrites(
  instanceId: string,
  state: WriteState,
  count: number,
  { each = false, row = {} }: { each?: boolean; row?: Partial<EntryRow> } = {},
): Promise<void> {
  const database = openDatabase();
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await putRows(database, Object.fromEntries(numbers.map((n) => [`${instanceId}${n}`, entryRow({ writeId: [instanceId, n], ...row })])));
  const writes = numbers.map((sequence) => ({ sequence, key: `${instanceId}${sequence}`, version: 1, operation: "store" as const }));
  await putOutbox(
    database,
    instanceId,
    ...(each ? writes.map((write) => [write]) : [writes]).map((part) => ({ state, writes: part, attempts: 0 })),
  );
  database.close();
}
