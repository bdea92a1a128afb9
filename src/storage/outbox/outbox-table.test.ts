import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allOutbox, allRows, openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, tombstone } from "../../testing/rows.ts";
import type { Database } from "../idb/database.ts";
import {
  outboxState,
  readOutbox,
  removeFromOutbox,
  settleInOutbox,
  splitByFate,
  type OutboxPage,
  type OutboxRow,
  type OutboxWrite,
  type Settlement,
  type WriteState,
} from "./outbox-table.ts";
import type { WriteId } from "../../model/metadata.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";

useFreshIndexedDB();

const write = (sequence: number, key = `k${sequence}`, given: Partial<OutboxWrite> = {}): OutboxWrite => ({
  sequence,
  key,
  version: 1,
  operation: "store",
  ...given,
});
const record = (state: WriteState, ...writes: OutboxWrite[]): OutboxRow => ({ state, writes, attempts: 0 });

const settle = (database: Database, instanceId: string, _first: number, settlements: [number, Settlement][]): Promise<void> =>
  database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleInOutbox(transaction, instanceId, new Map(settlements)));
const state = (database: Database, instanceId: string, sequence: number): Promise<WriteState | undefined> =>
  database.run([OUTBOX], "readonly", (transaction) => outboxState(transaction, [instanceId, sequence]));
const read = (
  database: Database,
  mayTake: (id: WriteId, state: WriteState) => boolean = () => true,
  after?: WriteId,
  limit = 100,
): Promise<OutboxPage> => database.run([ENTRIES, OUTBOX], "readonly", (transaction) => readOutbox(transaction, after, limit, mayTake));

describe("splitByFate", () => {
  it("leaves a record alone of which nothing is known", () => {
    const row = { ...record("sending", write(1), write(2)), attempts: 3, lastError: "e" };
    expect(splitByFate(row, new Map())).toEqual([row]);
  });

  it("leaves nothing when all are confirmed or superseded", () => {
    const row = record("sending", write(1), write(2));
    expect(
      splitByFate(
        row,
        new Map([
          [1, { state: "confirmed" }],
          [2, { state: "superseded" }],
        ]),
      ),
    ).toEqual([]);
  });

  it("keeps what failed together, with one attempt more and the error", () => {
    const failed = { state: "queued", error: "timeout" } as const;
    const row = record("sending", write(1), write(2));
    expect(
      splitByFate(
        row,
        new Map([
          [1, failed],
          [2, failed],
        ]),
      ),
    ).toEqual([{ state: "queued", attempts: 1, lastError: "timeout", writes: [write(1), write(2)] }]);
  });

  it("parts what was refused from what failed, and makes no record reach over a gap", () => {
    const row = record("sending", write(1), write(2), write(3), write(4), write(5));
    const parts = splitByFate(
      row,
      new Map<number, Settlement>([
        [1, { state: "queued", error: "lost" }],
        [2, { state: "confirmed" }],
        [3, { state: "queued", error: "lost" }],
        [4, { state: "rejected", error: "denied" }],
        [5, { state: "rejected", error: "too large" }],
      ]),
    );
    expect(parts.map(({ state: s, lastError, writes }) => [s, lastError, writes.map(({ sequence }) => sequence)])).toEqual([
      ["queued", "lost", [1]],
      ["queued", "lost", [3]],
      ["rejected", "denied", [4]],
      ["rejected", "too large", [5]],
    ]);
  });

  it("loses no write and invents none, whatever becomes of each", () => {
    const fate = fc.constantFrom<Settlement | undefined>(
      undefined,
      { state: "confirmed" },
      { state: "superseded" },
      { state: "queued", error: "a" },
      { state: "rejected", error: "a" },
      { state: "rejected", error: "b" },
    );
    fc.assert(
      fc.property(fc.array(fate, { minLength: 1, maxLength: 12 }), (fates) => {
        const row = record("sending", ...fates.map((_, index) => write(index + 1)));
        const settlements = new Map(fates.flatMap((each, index) => (each === undefined ? [] : [[index + 1, each] as const])));
        const parts = splitByFate(row, settlements);
        const left = parts.flatMap(({ writes }) => writes.map(({ sequence }) => sequence));
        expect(left).toEqual(
          fates.flatMap((each, index) => (each?.state === "confirmed" || each?.state === "superseded" ? [] : [index + 1])),
        );
        for (const part of parts) {
          for (const { sequence } of part.writes) {
            const settlement = settlements.get(sequence);
            expect(part.state).toBe(settlement?.state ?? "sending");
            expect(part.attempts).toBe(settlement === undefined ? 0 : 1);
          }
        }
      }),
    );
  });
});

describe("a write in the outbox", () => {
  it("is found in its record, wherever that begins, and in no other", async () => {
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

  it("is taken out by its id, and leaves the others where they are found", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2), write(3)));
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, ["me", 2]));
    expect(await Promise.all([1, 2, 3].map((sequence) => state(database, "me", sequence)))).toEqual(["queued", undefined, "queued"]);
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, ["me", 1]));
    expect(await Promise.all([1, 2, 3].map((sequence) => state(database, "me", sequence)))).toEqual([undefined, undefined, "queued"]);
  });
});

describe("settling", () => {
  it("removes what is confirmed", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1), write(2)));
    await settle(database, "me", 1, [
      [1, { state: "confirmed" }],
      [2, { state: "confirmed" }],
    ]);
    expect(await allOutbox(database)).toEqual([]);
  });

  it("counts one attempt for all that failed in it", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1), write(2), write(3)));
    const failed: Settlement = { state: "queued", error: "lost" };
    await settle(database, "me", 1, [
      [1, failed],
      [2, failed],
      [3, failed],
    ]);
    expect(await allOutbox(database)).toEqual([
      [["me", 1], { ...record("queued", write(1), write(2), write(3)), attempts: 1, lastError: "lost" }],
    ]);
  });

  it("goes by id, so that a newer write of the same key survives", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("sending", write(1, "k")), record("sending", write(2, "k", { version: 2 })));
    await settle(database, "me", 1, [[1, { state: "confirmed" }]]);
    expect(await allOutbox(database)).toEqual([[["me", 2], record("sending", write(2, "k", { version: 2 }))]]);
  });

  it("of a record that is gone changes nothing", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(2)));
    await settle(database, "me", 1, [[1, { state: "queued", error: "late" }]]);
    expect(await allOutbox(database)).toEqual([[["me", 2], record("queued", write(2))]]);
  });

  it("reaches a write whose record was split since it was read, for a newer version of its neighbour", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2), write(3)));
    // While a drain sends the three, k2 is stored anew, which overtakes the one that waits.
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, ["me", 2]));
    await settle(
      database,
      "me",
      1,
      [1, 2, 3].map((sequence) => [sequence, { state: "confirmed" }]),
    );
    expect(await allOutbox(database)).toEqual([]);
  });

  it("reaches the rest of a record whose first write was overtaken since it was read", async () => {
    const database = openDatabase();
    await putOutbox(database, "me", record("queued", write(1), write(2)));
    await database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => removeFromOutbox(transaction, ["me", 1]));
    await settle(
      database,
      "me",
      1,
      [1, 2].map((sequence) => [sequence, { state: "confirmed" }]),
    );
    expect(await allOutbox(database)).toEqual([]);
  });

  it("takes the tombstone of a confirmed delete along, and no other", async () => {
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
    await settle(database, "me", 1, [
      [1, { state: "confirmed" }],
      [2, { state: "confirmed" }],
      [3, { state: "confirmed" }],
      [4, { state: "queued", error: "lost" }],
    ]);
    expect(Object.keys(await allRows(database))).toEqual(["b", "c", "d"]);
  });
});

describe("reading the outbox", () => {
  it("gives what can be sent with its row, and what cannot any more without", async () => {
    const database = openDatabase();
    const row = entryRow({ writeId: ["me", 2], version: 2 });
    await putRows(database, { k: row, other: entryRow({ writeId: ["you", 3] }) });
    await putOutbox(database, "me", record("queued", write(1, "k"), write(2, "k", { version: 2 }), write(3, "other"), write(4, "gone")));
    const { unsent, superseded } = await read(database);
    expect(unsent).toEqual([{ instanceId: "me", write: write(2, "k", { version: 2 }), row }]);
    expect(superseded.map(({ write: { sequence } }) => sequence)).toEqual([1, 3, 4]);
  });

  it("passes by what may not be taken", async () => {
    const database = openDatabase();
    await putRows(database, { k1: entryRow({ writeId: ["a", 1] }), k2: entryRow({ writeId: ["b", 2] }) });
    await putOutbox(database, "a", record("sending", write(1)));
    await putOutbox(database, "b", record("queued", write(2)));
    const { unsent, superseded } = await read(database, (_, s) => s === "queued");
    expect([unsent.map(({ write: { key } }) => key), superseded]).toEqual([["k2"], []]);
  });

  it("goes page by page, each bounded, until nothing is left", async () => {
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

  it("continues after a page in which nothing can be sent", async () => {
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

  it("passes over what is no record", async () => {
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
