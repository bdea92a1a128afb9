import { describe, expect, it, vi } from "vitest";
import { failTransactions, setUpCommitter } from "../../testing/committer.ts";
import { deleteDraft, refusal, storeDraft } from "../../testing/drafts.ts";
import { caught, codeOf } from "../../testing/errors.ts";
import { allOutbox, allRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import type { OutboxWrite } from "../outbox/outbox-record.ts";

useFreshIndexedDB();

describe("A call", () => {
  it("puts its entries and one outbox record into one transaction", async () => {
    const { committer, database } = setUpCommitter();
    await allRows(database);
    const transactions = watchTransactions();
    await committer.commit([storeDraft("a"), storeDraft("b"), deleteDraft("c")]);
    expect(writesAmong(transactions)).toBe(1);
    const writes: OutboxWrite[] = [
      { sequence: 1, key: "a", version: 1, operation: "store" },
      { sequence: 2, key: "b", version: 1, operation: "store" },
      { sequence: 3, key: "c", version: 1, operation: "delete" },
    ];
    expect(await allOutbox(database)).toEqual([[["me", 1], { state: "sending", attempts: 0, writes }]]);
    const rows = await allRows(database);
    expect(rows["a"]?.writeId).toEqual(["me", 1]);
    expect(rows["b"]?.writeId).toEqual(["me", 2]);
    expect(rows["c"]?.writeId).toEqual(["me", 3]);
  });

  it("changes neither entries nor outbox when one of its drafts refuses", async () => {
    const { committer, database } = setUpCommitter();
    await committer.commit([storeDraft("a", "1")]);
    const before = [await allRows(database), await allOutbox(database)];
    expect(await caught(() => committer.commit([storeDraft("a", "2"), storeDraft("b"), refusal("c")]))).toEqual(new Error("refused"));
    expect([await allRows(database), await allOutbox(database)]).toEqual(before);
  });

  it("that refuses changes nothing of its own, while the other calls of its group commit", async () => {
    const { committer, database, groups } = setUpCommitter();
    const calls = [
      [storeDraft("a", "1")],
      [storeDraft("a", "2"), storeDraft("x"), refusal("y")],
      [storeDraft("a", "3")],
      [storeDraft("b")],
    ];
    const outcomes = await Promise.allSettled(calls.map((drafts) => committer.commit(drafts)));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(groups).toHaveLength(1);
    const rows = await allRows(database);
    expect(Object.keys(rows)).toEqual(["a", "b"]);
    expect(rows["a"]).toMatchObject({ version: 2, payload: "3" });
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ key, version }) => `${key}${version}`))).toEqual([
      "a1",
      "a2",
      "b1",
    ]);
  });

  it("leaves neither an entry nor an outbox record when the transaction fails", async () => {
    const { committer, database } = setUpCommitter();
    failTransactions(1);
    expect(await codeOf(() => committer.commit([storeDraft("a"), storeDraft("b")]))).toBe("QUOTA_EXCEEDED");
    expect(await allRows(database)).toEqual({});
    expect(await allOutbox(database)).toEqual([]);
  });

  it("gets a transaction of its own when its group does not fit on the disk", async () => {
    const { committer, database } = setUpCommitter();
    failTransactions(2);
    const outcomes = await Promise.allSettled([committer.commit([storeDraft("a")]), committer.commit([storeDraft("b")])]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(Object.keys(await allRows(database))).toEqual(["b"]);
  });

  it("is retried with its group once room was made for all of it, before each call gets a transaction of its own", async () => {
    const makeRoom = vi.fn<(bytes: number, keys: readonly string[]) => Promise<boolean>>().mockResolvedValue(true);
    const { committer, groups } = setUpCommitter({ makeRoom });
    failTransactions(1);
    await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key, "x".repeat(10_000))])));
    expect(makeRoom).toHaveBeenCalledTimes(1);
    expect(makeRoom.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(40_000);
    expect(makeRoom.mock.calls[0]?.[1]).toEqual(["a", "b"]);
    expect(groups).toHaveLength(1);
  });

  it("is retried once when room was made", async () => {
    const makeRoom = vi.fn<(bytes: number) => Promise<boolean>>().mockResolvedValue(true);
    const { commit } = setUpCommitter({ makeRoom });
    failTransactions(1);
    expect(await commit(storeDraft("a", "12345"))).toMatchObject({ row: { version: 1 } });
    expect(makeRoom).toHaveBeenCalledTimes(1);
    // A small write must free something, too.
    expect(makeRoom.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(4_096);
    expect(makeRoom.mock.calls[0]?.[0]).toBeLessThanOrEqual(4_096);
  });

  it("is not retried a second time", async () => {
    const makeRoom = vi.fn<(bytes: number) => Promise<boolean>>().mockResolvedValue(true);
    const { committer, database } = setUpCommitter({ makeRoom });
    failTransactions(2);
    expect(await codeOf(() => committer.commit([storeDraft("b")]))).toBe("QUOTA_EXCEEDED");
    expect(makeRoom).toHaveBeenCalledTimes(1);
    expect(await allRows(database)).toEqual({});
  });
});

it("A commit reports by how much the entries grew", async () => {
  const { commit } = setUpCommitter();
  const grown: unknown[] = [];
  for (const draft of [storeDraft("a", '"12345"'), storeDraft("a", '"123"'), deleteDraft("a"), deleteDraft("a")])
    grown.push((await commit(draft)).grew);
  expect(grown).toEqual([
    { entries: 1, bytes: 7 },
    { entries: 0, bytes: -2 },
    { entries: -1, bytes: -5 },
    { entries: 0, bytes: 0 },
  ]);
});
