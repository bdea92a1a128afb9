import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitBySettlement, type OutboxRecord, type OutboxWrite, type Settlement, type WriteState } from "./outbox-record.ts";

const write = (sequence: number, key = `k${sequence}`, given: Partial<OutboxWrite> = {}): OutboxWrite => ({
  sequence,
  key,
  version: 1,
  operation: "store",
  ...given,
});
const record = (state: WriteState, ...writes: OutboxWrite[]): OutboxRecord => ({ state, writes, attempts: 0 });

describe("splitBySettlement", () => {
  it("returns the record unchanged when nothing is settled", () => {
    const row = { ...record("sending", write(1), write(2)), attempts: 3, lastError: "e" };
    expect(splitBySettlement(row, new Map())).toEqual([row]);
  });

  it("returns nothing when all writes are confirmed or superseded", () => {
    const row = record("sending", write(1), write(2));
    expect(
      splitBySettlement(
        row,
        new Map([
          [1, { state: "confirmed" }],
          [2, { state: "superseded" }],
        ]),
      ),
    ).toEqual([]);
  });

  it("keeps failed writes in one record, with one more attempt and the error", () => {
    const failed = { state: "queued", error: "timeout" } as const;
    const row = record("sending", write(1), write(2));
    expect(
      splitBySettlement(
        row,
        new Map([
          [1, failed],
          [2, failed],
        ]),
      ),
    ).toEqual([{ state: "queued", attempts: 1, lastError: "timeout", writes: [write(1), write(2)] }]);
  });

  it("separates rejected from failed writes, and ends a record at a gap", () => {
    const row = record("sending", write(1), write(2), write(3), write(4), write(5));
    const parts = splitBySettlement(
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

  it("loses no write and adds none, for any settlements", () => {
    const settlement = fc.constantFrom<Settlement | undefined>(
      undefined,
      { state: "confirmed" },
      { state: "superseded" },
      { state: "queued", error: "a" },
      { state: "rejected", error: "a" },
      { state: "rejected", error: "b" },
    );
    fc.assert(
      fc.property(fc.array(settlement, { minLength: 1, maxLength: 12 }), (given) => {
        const row = record("sending", ...given.map((_, index) => write(index + 1)));
        const settlements = new Map(given.flatMap((each, index) => (each === undefined ? [] : [[index + 1, each] as const])));
        const parts = splitBySettlement(row, settlements);
        const left = parts.flatMap(({ writes }) => writes.map(({ sequence }) => sequence));
        expect(left).toEqual(
          given.flatMap((each, index) => (each?.state === "confirmed" || each?.state === "superseded" ? [] : [index + 1])),
        );
        for (const part of parts) {
          for (const { sequence } of part.writes) {
            const expected = settlements.get(sequence);
            expect(part.state).toBe(expected?.state ?? "sending");
            expect(part.attempts).toBe(expected === undefined ? 0 : 1);
          }
        }
      }),
    );
  });
});
