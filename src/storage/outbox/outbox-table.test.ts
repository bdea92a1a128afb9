import { describe, expect, it } from "vitest";
import { allOutbox, allRows, openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, tombstone } from "../../testing/rows.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import type { OutboxRecord, OutboxWrite, Settlement, WriteState } from "./outbox-record.ts";
import { outboxState, removeFromOutbox, settleInOutbox } from "./outbox-table.ts";

useFreshIndexedDB();

const write = (sequence: number, key = `k${sequence}`, given: Partial<OutboxWrite> = {}): OutboxWrite => ({
  sequence,
  key,
  version: 1,
  operation: "store",
  ...given,
});
const record = (state: WriteState, ...writes: OutboxWrite[]): OutboxRecord => ({ state, writes, attempts: 0 });

const settle = (database: Database, instanceId: string, settlements: [number, Settlement][]): Promise<void> =>
  database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleInOutbox(transaction, instanceId, new Map(settlements)));
const state = (database: Database, instanceId: string, sequence: number): Promise<WriteState | undefined> =>
  database.run([OUTBOX], "readonly", (transaction) => outboxState(transaction, [instanceId, sequence]));
describe("A write in the outbox", () => {
  it("is found in its record, at any position, and in no other record", async () => {
    const database = openDatabase();
    await putOutbox(
      database,
      "me",
      record("sending", write(3), write(4), write(5)),
      record("queued", write(6), write(9)),
      record("rejected", write(12)),
    );
    await putOutbox(database, "mf", record("rejected", write(1)));
    const states = await Promise.all([1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13].map((sequence) => state(database, "me", sequence)));
    expect(states).toEqual([
      undefined,
      undefined,
      "sending",
      "sending",
      "sending",
      "queued",
      undefined,
      "queued",
      undefined,
      "rejected",
      undefined,
    ]);
    expect(await state(database, "md", 3)).toBeUndefined();
  });

  it("is removed by its id, and the other writes of its record are still found", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2), write(3)));
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, [["me", 2]]));
    expect(await Promise.all([1, 2, 3].map((sequence) => state(database, "me", sequence)))).toEqual(["queued", undefined, "queued"]);
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, [["me", 1]]));
    expect(await Promise.all([1, 2, 3].map((sequence) => state(database, "me", sequence)))).toEqual([undefined, undefined, "queued"]);
  });
});

describe("settleInOutbox", () => {
  it("removes confirmed writes", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1), write(2)));
    await settle(database, "me", [
      [1, { state: "confirmed" }],
      [2, { state: "confirmed" }],
    ]);
    expect(await allOutbox(database)).toEqual([]);
  });

  it("counts one attempt for all writes that failed together", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1), write(2), write(3)));
    const failed: Settlement = { state: "queued", error: "lost" };
    await settle(database, "me", [
      [1, failed],
      [2, failed],
      [3, failed],
    ]);
    expect(await allOutbox(database)).toEqual([
      [["me", 1], { ...record("queued", write(1), write(2), write(3)), attempts: 1, lastError: "lost" }],
    ]);
  });

  it("finds writes by id, so that a newer write of the same key stays", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1, "k")), record("sending", write(2, "k", { version: 2 })));
    await settle(database, "me", [[1, { state: "confirmed" }]]);
    expect(await allOutbox(database)).toEqual([[["me", 2], record("sending", write(2, "k", { version: 2 }))]]);
  });

  it("changes nothing when the record is gone", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(2)));
    await settle(database, "me", [[1, { state: "queued", error: "late" }]]);
    expect(await allOutbox(database)).toEqual([[["me", 2], record("queued", write(2))]]);
  });

  it("finds a write whose record was split since it was read", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2), write(3)));
    // While a drain sends the three, k2 is stored again, which supersedes the queued write.
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, [["me", 2]]));
    await settle(
      database,
      "me",
      [1, 2, 3].map((sequence) => [sequence, { state: "confirmed" }]),
    );
    expect(await allOutbox(database)).toEqual([]);
  });

  it("finds the rest of a record whose first write was superseded since it was read", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2)));
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, [["me", 1]]));
    await settle(
      database,
      "me",
      [1, 2].map((sequence) => [sequence, { state: "confirmed" }]),
    );
    expect(await allOutbox(database)).toEqual([]);
  });

  it("removes the tombstone of a confirmed delete, and no other", async () => {
    const database = openDatabase();
    await putRows(database, {
      a: tombstone(2, ["me", 1]),
      b: tombstone(3, ["me", 9]),
      c: entryRow({ writeId: ["me", 3] }),
      d: tombstone(2, ["me", 4]),
    });
    await putOutbox(
      database,
      "me",
      record(
        "sending",
        write(1, "a", { operation: "delete" }),
        write(2, "b", { operation: "delete" }),
        write(3, "c"),
        write(4, "d", { operation: "delete" }),
      ),
    );
    await settle(database, "me", [
      [1, { state: "confirmed" }],
      [2, { state: "confirmed" }],
      [3, { state: "confirmed" }],
      [4, { state: "queued", error: "lost" }],
    ]);
    expect(Object.keys(await allRows(database))).toEqual(["b", "c", "d"]);
  });
});
