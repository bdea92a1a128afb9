import { describe, expect, it } from "vitest";
import { openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import type { WriteId } from "../../model/metadata.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import { readOutbox, type OutboxPage } from "./outbox-page.ts";
import type { OutboxRecord, OutboxWrite, WriteState } from "./outbox-record.ts";

useFreshIndexedDB();

const write = (sequence: number, key = `k${sequence}`, given: Partial<OutboxWrite> = {}): OutboxWrite => ({
  sequence,
  key,
  version: 1,
  operation: "store",
  ...given,
});
const record = (state: WriteState, ...writes: OutboxWrite[]): OutboxRecord => ({ state, writes, attempts: 0 });

const read = (
  database: Database,
  mayTake: (id: WriteId, state: WriteState) => boolean = () => true,
  after?: WriteId,
  limit = 100,
): Promise<OutboxPage> => database.run([ENTRIES, OUTBOX], "readonly", (transaction) => readOutbox(transaction, after, limit, mayTake));

describe("readOutbox", () => {
  it("returns writes that can be sent with their rows, and superseded writes without", async () => {
    const database = openDatabase();
    const row = entryRow({ writeId: ["me", 2], version: 2 });
    await putRows(database, { k: row, other: entryRow({ writeId: ["you", 3] }) });
    await putOutbox(database, "me", record("queued", write(1, "k"), write(2, "k", { version: 2 }), write(3, "other"), write(4, "gone")));
    const { unsent, superseded } = await read(database);
    expect(unsent).toEqual([{ instanceId: "me", write: write(2, "k", { version: 2 }), row }]);
    expect(superseded.map(({ write: { sequence } }) => sequence)).toEqual([1, 3, 4]);
  });

  it("skips writes that may not be taken", async () => {
    const database = openDatabase();
    await putRows(database, { k1: entryRow({ writeId: ["a", 1] }), k2: entryRow({ writeId: ["b", 2] }) });
    await putOutbox(database, "a", record("sending", write(1)));
    await putOutbox(database, "b", record("queued", write(2)));
    const { unsent, superseded } = await read(database, (_, s) => s === "queued");
    expect(unsent.map(({ write: { key } }) => key)).toEqual(["k2"]);
    expect(superseded).toEqual([]);
  });

  it("reads page by page, each bounded, until nothing is left", async () => {
    const database = openDatabase();
    const keys = Array.from({ length: 25 }, (_, index) => index + 1);
    await putRows(database, Object.fromEntries(keys.map((sequence) => [`k${sequence}`, entryRow({ writeId: ["me", sequence] })])));
    await putOutbox(database, "me", ...keys.map((sequence) => record("queued", write(sequence))));
    const seen: number[] = [];
    let after: [string, number] | undefined;
    for (let pages = 0; pages < 10; pages++) {
      const page = await read(database, () => true, after, 10);
      expect(page.unsent.length).toBeLessThanOrEqual(10);
      seen.push(...page.unsent.map(({ write: { sequence } }) => sequence));
      if (page.next === undefined) break;
      after = [...page.next];
    }
    expect(seen).toEqual(keys);
  });

  it("continues after a page without a write that can be sent", async () => {
    const database = openDatabase();
    await putRows(database, { k3: entryRow({ writeId: ["me", 3] }) });
    await putOutbox(database, "me", record("rejected", write(1)), record("rejected", write(2)), record("queued", write(3)));
    const mayTake = (_: unknown, state: WriteState): boolean => state === "queued";
    const first = await read(database, mayTake, undefined, 2);
    expect(first).toMatchObject({ unsent: [], next: ["me", 2] });
    const second = await read(database, mayTake, first.next, 2);
    expect(second.unsent.map(({ write: { sequence } }) => sequence)).toEqual([3]);
    expect(second.next).toBeUndefined();
  });

  it("skips damaged records", async () => {
    const database = openDatabase();
    await database.run([OUTBOX], "readwrite", (transaction) => {
      const outbox = transaction.objectStore(OUTBOX);
      const damaged: unknown[] = [
        null,
        1,
        {},
        { state: "queued" },
        { state: "x", writes: [], attempts: 0 },
        { state: "queued", attempts: 0, writes: [null] },
        { state: "queued", attempts: 0, writes: [{ sequence: "1" }] },
      ];
      damaged.forEach((value, index) => outbox.put(value, ["bad", index]));
      outbox.put(record("queued", write(1)), 7);
      outbox.put(record("queued", write(1)), "k");
    });
    await putRows(database, { k1: entryRow({ writeId: ["me", 1] }) });
    await putOutbox(database, "me", record("queued", write(1)));
    const { unsent } = await read(database);
    expect(unsent.map(({ instanceId, write: { sequence } }) => [instanceId, sequence])).toEqual([["me", 1]]);
  });
});
