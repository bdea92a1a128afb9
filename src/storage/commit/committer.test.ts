import { IDBDatabase, IDBObjectStore, IDBTransaction } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { KeyStoreError } from "../../util/errors.ts";
import { newCommitter } from "../../testing/committer.ts";
import { caught, codeOf } from "../../testing/errors.ts";
import { deleteDraft, refusal, storeDraft } from "../../testing/drafts.ts";
import {
  allOutbox,
  allRows,
  loseStorage,
  loseAnswer,
  openDatabase,
  putOutbox,
  putRows,
  resultOf,
  useFreshIndexedDB,
  watchTransactions,
  writesAmong,
} from "../../testing/indexeddb.ts";
import type { EntryRow } from "../../model/row.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import type { Commit, Draft } from "./commit-group.ts";
import type { CommitterOptions } from "./committer.ts";
import type { OutboxWrite, Settlement } from "../outbox/outbox-table.ts";
import { ENTRIES, OUTBOX, type Table } from "../idb/schema.ts";

useFreshIndexedDB();

function setUp(given: Partial<CommitterOptions> = {}) {
  const database = openDatabase();
  const groups: (readonly Commit[])[] = [];
  const committer = newCommitter(database, { onCommitted: (commits) => void groups.push(commits), ...given });
  const commit = async (...drafts: Draft[]): Promise<Commit> => {
    const [first] = await committer.commit(drafts);
    // The group has ended: what comes at its very end is a test of its own.
    await new Promise(setImmediate);
    if (first === undefined) throw new Error("nothing was committed");
    return first;
  };
  const settle = async ({ row }: Commit, settlement: Settlement): Promise<void> => {
    await Promise.all([committer.settle(row.writeId[0], new Map([[row.writeId[1], settlement]])), committer.settled()]);
  };
  return { database, committer, groups, commit, settle };
}

const CONFIRMED: Settlement = { state: "confirmed" };
const FAILED: Settlement = { state: "queued", error: "lost" };
const REFUSED: Settlement = { state: "rejected", error: "denied" };

describe("group commit", () => {
  it("lets a lone write wait for nobody: one transaction, at once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval"] });
    try {
      const { committer, database } = setUp();
      await allRows(database);
      const transactions = watchTransactions();
      await committer.commit([storeDraft("a")]);
      expect(transactions).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("takes what is called in one turn together", async () => {
    const { committer, groups, database } = setUp();
    await allRows(database);
    const transactions = watchTransactions();
    await Promise.all(["a", "b", "c"].map((key) => committer.commit([storeDraft(key)])));
    expect(writesAmong(transactions)).toBe(1);
    expect(groups.map((group) => group.map(({ draft }) => draft.key))).toEqual([["a", "b", "c"]]);
  });

  it("takes what waits while a transaction runs into the next one, together", async () => {
    const { committer, groups, database } = setUp();
    await allRows(database);
    const transactions = watchTransactions();
    const first = committer.commit([storeDraft("a")]);
    await new Promise(setImmediate);
    const rest = ["b", "c", "d"].map((key) => committer.commit([storeDraft(key)]));
    await Promise.all([first, ...rest]);
    expect(writesAmong(transactions)).toBe(2);
    expect(groups.map((group) => group.length)).toEqual([1, 3]);
  });

  it("bounds a group by the number of its writes, but never splits a call", async () => {
    const { committer, groups } = setUp();
    const calls = Array.from({ length: 4 }, (_, call) => Array.from({ length: 200 }, (__, sequence) => storeDraft(`${call}/${sequence}`)));
    const large = Array.from({ length: 600 }, (_, sequence) => storeDraft(`large/${sequence}`));
    await Promise.all([...calls, large].map((drafts) => committer.commit(drafts)));
    expect(groups.map((group) => group.length)).toEqual([400, 400, 600]);
  });

  it("bounds a group by its bytes", async () => {
    const { committer, groups } = setUp();
    const heavy = (key: string): Draft => ({ ...storeDraft(key), weight: 3 * 1024 * 1024 });
    await Promise.all(["a", "b"].map((key) => committer.commit([heavy(key)])));
    expect(groups.map((group) => group.length)).toEqual([1, 1]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])("commits a call that comes %i turns after the one before has resolved", async (turns) => {
    const { committer } = setUp();
    let later: Promise<unknown> | undefined;
    await committer.commit([storeDraft("a")]).then(async () => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      later = committer.commit([storeDraft("b")]);
    });
    const outcome = await Promise.race([later, allTurns().then(() => "never committed")]);
    expect(outcome).toMatchObject([{ row: { version: 1 } }]);
  });

  it("tells of commits in their order before the calls learn of theirs", async () => {
    const order: string[] = [];
    const { committer } = setUp({ onCommitted: (commits) => order.push(`group of ${commits.length}`) });
    await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key)]).then(() => order.push(key))));
    expect(order).toEqual(["group of 2", "a", "b"]);
  });

  it("leaves out a call whose signal is aborted before its turn, with the signal's reason", async () => {
    const { committer, database } = setUp();
    const controller = new AbortController();
    const running = committer.commit([storeDraft("a")]);
    await new Promise(setImmediate);
    const aborted = committer.commit([storeDraft("b")], controller.signal);
    controller.abort(new RangeError("enough"));
    expect(await caught(() => aborted)).toEqual(new RangeError("enough"));
    await running;
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });
});

describe("a call's drafts", () => {
  it("put their entries and one outbox record into one transaction", async () => {
    const { committer, database } = setUp();
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
    expect([rows["a"]?.writeId, rows["b"]?.writeId, rows["c"]?.writeId]).toEqual([
      ["me", 1],
      ["me", 2],
      ["me", 3],
    ]);
  });

  it("change nothing when one of them refuses, neither entry nor outbox", async () => {
    const { committer, database } = setUp();
    await committer.commit([storeDraft("a", "1")]);
    const before = [await allRows(database), await allOutbox(database)];
    expect(await caught(() => committer.commit([storeDraft("a", "2"), storeDraft("b"), refusal("c")]))).toEqual(new Error("refused"));
    expect([await allRows(database), await allOutbox(database)]).toEqual(before);
  });

  it("that refuse change nothing of their own, while the others of their group commit", async () => {
    const { committer, database, groups } = setUp();
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

  it("are neither entry nor outbox record when the transaction fails", async () => {
    const { committer, database } = setUp();
    failTransactions(1);
    expect(await codeOf(() => committer.commit([storeDraft("a"), storeDraft("b")]))).toBe("QUOTA_EXCEEDED");
    expect([await allRows(database), await allOutbox(database)]).toEqual([{}, []]);
  });

  it("are tried each call for itself when their group does not fit", async () => {
    const { committer, database } = setUp();
    failTransactions(2);
    const outcomes = await Promise.allSettled([committer.commit([storeDraft("a")]), committer.commit([storeDraft("b")])]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(Object.keys(await allRows(database))).toEqual(["b"]);
  });

  it("are tried together once more when room was made for all of them, before each call is tried by itself", async () => {
    const makeRoom = vi.fn<(bytes: number, keys: readonly string[]) => Promise<boolean>>().mockResolvedValue(true);
    const { committer, groups } = setUp({ makeRoom });
    failTransactions(1);
    await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key, "x".repeat(10_000))])));
    expect(makeRoom).toHaveBeenCalledTimes(1);
    expect(makeRoom.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(40_000);
    expect(makeRoom.mock.calls[0]?.[1]).toEqual(["a", "b"]);
    expect(groups).toHaveLength(1);
  });

  it("are tried once more when room was made", async () => {
    const makeRoom = vi.fn<(bytes: number) => Promise<boolean>>().mockResolvedValue(true);
    const { commit } = setUp({ makeRoom });
    failTransactions(1);
    expect(await commit(storeDraft("a", "12345"))).toMatchObject({ row: { version: 1 } });
    expect(makeRoom).toHaveBeenCalledTimes(1);
    // A small write must free something, too.
    expect(makeRoom.mock.calls[0]?.[0]).toBeGreaterThanOrEqual(4_096);
    expect(makeRoom.mock.calls[0]?.[0]).toBeLessThanOrEqual(4_096);
  });

  it("are tried only once more", async () => {
    const makeRoom = vi.fn<(bytes: number) => Promise<boolean>>().mockResolvedValue(true);
    const { committer, database } = setUp({ makeRoom });
    failTransactions(2);
    expect(await codeOf(() => committer.commit([storeDraft("b")]))).toBe("QUOTA_EXCEEDED");
    expect(makeRoom).toHaveBeenCalledTimes(1);
    expect(await allRows(database)).toEqual({});
  });
});

describe("keys that seem new", () => {
  /** A key seems new when memory does not hold it. */
  const remembering = (): { set: ReturnType<typeof setUp>; memory: Set<string> } => {
    const memory = new Set<string>();
    return { memory, set: setUp({ isInMemory: (key) => memory.has(key) }) };
  };

  it("are added without a look: one request for each entry and its outbox record", async () => {
    const {
      set: { committer, database },
    } = remembering();
    await allRows(database);
    const reads = vi.spyOn(IDBObjectStore.prototype, "index");
    await committer.commit([storeDraft("a"), storeDraft("b")]);
    expect(reads).not.toHaveBeenCalled();
    expect(Object.keys(await allRows(database))).toEqual(["a", "b"]);
  });

  it.each([1, 100])("fail the transaction when one of %i exists, and the group is written again after a look", async (count) => {
    const {
      set: { committer, commit, database },
    } = remembering();
    await commit(storeDraft("k0", "old"));
    const commits = await committer.commit(Array.from({ length: count }, (_, sequence) => storeDraft(`k${sequence}`, "new")));
    expect(commits.map(({ row }) => row.version)).toEqual(commits.map((_, sequence) => (sequence === 0 ? 2 : 1)));
    const rows = Object.values(await allRows(database)) as EntryRow[];
    expect(rows.map(({ payload }) => payload)).toEqual(commits.map(() => "new"));
    const outbox = (await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ key, version }) => `${key}@${version}`));
    expect(outbox.toSorted()).toEqual(["k0@1", ...commits.map(({ row }) => `${row.key}@${row.version}`)].toSorted());
  });

  it.each([
    ["a key that memory holds", "known"],
    ["a key that the group before has written", "latest"],
  ])("are looked up together with %s, in one transaction", async (_, key) => {
    const {
      memory,
      set: { committer, database },
    } = remembering();
    if (key === "known") {
      await committer.commit([storeDraft(key)]);
      memory.add(key);
    }
    await allRows(database);
    const transactions = watchTransactions();
    const commitBoth = (): Promise<readonly Commit[]> => committer.commit([storeDraft("new"), storeDraft(key)]);
    // What is called when a group is written begins before memory learns of that group.
    const both =
      key === "known"
        ? commitBoth()
        : new Promise<readonly Commit[]>((resolve) => {
            void committer.commit([storeDraft(key)], undefined, () => resolve(commitBoth()));
          });
    expect((await both).map(({ row }) => row.version)).toEqual([1, 2]);
    expect(writesAmong(transactions)).toBe(key === "latest" ? 2 : 1);
  });

  it("are looked up when one of their drafts requires an entry", async () => {
    const {
      set: { committer, commit, database },
    } = remembering();
    await commit(storeDraft("a"));
    const onlyIfThere: Draft = {
      ...storeDraft("a"),
      next: (current, version, now) => {
        if (current === undefined) throw new Error("refused");
        return storeDraft("a").next(current, version, now);
      },
    };
    expect((await committer.commit([onlyIfThere]))[0]?.row.version).toBe(2);
    expect((await allRows(database))["a"]).toMatchObject({ version: 2 });
  });

  it("are looked up for a while after one of them existed, until eight groups in a row were new", async () => {
    const {
      set: { commit, database },
    } = remembering();
    await commit(storeDraft("a"));
    await commit(storeDraft("a"));
    await allRows(database);
    const transactions = watchTransactions();
    for (let sequence = 0; sequence < 5; sequence++) await commit(storeDraft("a"));
    expect(writesAmong(transactions)).toBe(5);
    const looks = vi.spyOn(IDBObjectStore.prototype, "index");
    for (let sequence = 0; sequence < 8; sequence++) await commit(storeDraft(`new${sequence}`));
    expect(looks).toHaveBeenCalled();
    looks.mockClear();
    await commit(storeDraft("new8"));
    expect(looks).not.toHaveBeenCalled();
  });
});

it("what is confirmed of two records, as many as the first holds, is not taken for the whole of the first", async () => {
  const { committer, database } = setUp();
  await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key)])));
  await committer.commit([storeDraft("c")]);
  await committer.settle(
    "me",
    new Map([
      [1, CONFIRMED],
      [3, CONFIRMED],
    ]),
  );
  expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ key }) => key))).toEqual(["b"]);
});

it("a commit tells by how much the entries grew", async () => {
  const { commit } = setUp();
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

describe("versions", () => {
  it("count from 1, within a group too", async () => {
    const { committer } = setUp();
    const commits = await Promise.all([1, 2, 3].map(() => committer.commit([storeDraft("a")])));
    expect(commits.map(([commit]) => commit?.row.version)).toEqual([1, 2, 3]);
  });

  it("go on after a delete of the same group", async () => {
    const { committer } = setUp();
    const commits = await Promise.all([storeDraft("a"), deleteDraft("a"), storeDraft("a")].map((draft) => committer.commit([draft])));
    expect(commits.map(([commit]) => commit?.row.version)).toEqual([1, 2, 3]);
  });

  it("give a draft the entry that it replaces, one of the same group too", async () => {
    const { committer } = setUp();
    const [, second] = await Promise.all([committer.commit([storeDraft("a", "1")]), committer.commit([storeDraft("a", "2")])]);
    expect(second[0]?.replaced).toMatchObject({ payload: "1", version: 1 });
  });

  it("start at 1 after a delete that is confirmed", async () => {
    const { commit, settle, database } = setUp();
    await commit(storeDraft("a"));
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    expect(deleted.row.version).toBe(3);
    await settle(deleted, CONFIRMED);
    expect(await allRows(database)).toEqual({});
    expect((await commit(storeDraft("a"))).row.version).toBe(1);
  });

  it("start at 1 after a delete whose confirmation is not written down yet", async () => {
    const { committer, commit } = setUp();
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    const settling = committer.settle(deleted.row.writeId[0], new Map([[deleted.row.writeId[1], CONFIRMED]]));
    expect((await commit(storeDraft("a"))).row.version).toBe(1);
    await settling;
  });

  it.each([
    ["under way", undefined],
    ["queued", FAILED],
    ["refused", REFUSED],
  ])("go on after a delete that is %s", async (_, settlement) => {
    const { commit, settle } = setUp();
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    if (settlement !== undefined) await settle(deleted, settlement);
    const stored = await commit(storeDraft("a"));
    expect([stored.row.version, stored.replaced]).toEqual([3, undefined]);
  });

  it("start at 1 after a delete that is confirmed but still in the outbox, which it leaves", async () => {
    const { commit, database } = setUp();
    await putRows(database, { a: tombstone(3, ["me", 7]) });
    await putOutbox(database, "me", {
      state: "sending",
      writes: [{ sequence: 7, key: "a", version: 3, operation: "delete" }],
      attempts: 0,
    });
    expect((await commit(storeDraft("a"))).row.version).toBe(1);
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([1]);
  });

  it("start at 1 after a confirmed entry has expired", async () => {
    const { commit, database } = setUp();
    await putRows(database, { a: entryRow({ version: 7, expiresAt: Date.now() - 1 }) });
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 1 }, replaced: undefined });
  });

  it("go on after an entry has expired that was never confirmed", async () => {
    const { commit } = setUp();
    await commit(storeDraft("a", "1", { expiresAt: Date.now() - 1 }));
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 2 }, replaced: undefined });
  });

  it("of a delete are the last known one + 1, else 1", async () => {
    const { commit, database } = setUp();
    await putRows(database, { expired: entryRow({ version: 4, expiresAt: NOW }), lives: entryRow({ version: 2 }), deleted: tombstone(5) });
    expect((await commit(deleteDraft("absent"))).row.version).toBe(1);
    expect((await commit(deleteDraft("lives"))).row.version).toBe(3);
    expect((await commit(deleteDraft("expired"))).row.version).toBe(5);
    expect((await commit(deleteDraft("deleted"))).row.version).toBe(6);
  });

  it("survive what is damaged in their place", async () => {
    const { commit, database } = setUp();
    await putRows(database, { a: { version: 3, payload: 5 }, b: "rubbish" });
    expect((await commit(storeDraft("a"))).row.version).toBe(4);
    expect((await commit(storeDraft("b"))).row.version).toBe(1);
  });
});

describe("numbers", () => {
  it("of a record lie together, so that every write is found in its record", async () => {
    const { committer, commit, settle, database } = setUp();
    // k1 and k3 have to wait waitsFor a queued write of theirs; k0, k2 and k4 need not.
    for (const key of ["k1", "k3"]) await settle(await commit(storeDraft(key)), FAILED);
    await Promise.all(["k0", "k1", "k2", "k3", "k4"].map((key) => committer.commit([storeDraft(key)])));
    const records = (await allOutbox(database)).map(([, { state, writes }]) => [
      state,
      writes.map(({ key }) => key),
      writes.map(({ sequence }) => sequence),
    ]);
    const [[, , [first = 0]]] = records as [[string, string[], number[]]];
    expect(records).toEqual([
      ["sending", ["k0", "k2", "k4"], [first, first + 1, first + 2]],
      ["queued", ["k1", "k3"], [first + 3, first + 4]],
    ]);
    await database.run([ENTRIES, "outbox"], "readonly", async (transaction) => {
      // Another store reads the states from the outbox alone.
      const other = newCommitter(database, { instanceId: "other" });
      const states = await Promise.all([-2, -1, 0, 1, 2, 3, 4, 5].map((offset) => other.stateOf(transaction, ["me", first + offset])));
      expect(states).toEqual([undefined, undefined, "sending", "sending", "sending", "queued", "queued", undefined]);
    });
  });

  it("never occur twice", async () => {
    const { committer, groups } = setUp();
    failTransactions(2);
    await Promise.allSettled(["a", "b", "c"].map((key) => committer.commit([storeDraft(key)])));
    await committer.commit([storeDraft("d")]);
    const numbers = groups.flat().map(({ row }) => row.writeId[1]);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe("a write", () => {
  it("waits in the outbox when nothing can be published", async () => {
    const { commit, database } = setUp({ mayPublish: () => false });
    expect((await commit(storeDraft("a"))).state).toBe("queued");
    expect((await allOutbox(database))[0]?.[1].state).toBe("queued");
  });

  it("that takes the place of a queued one waits for what that one waited for", async () => {
    let mayPublish = true;
    const { commit } = setUp({ mayPublish: () => mayPublish });
    await commit(storeDraft("a"));
    mayPublish = false;
    await Promise.all([commit(storeDraft("a")), commit(storeDraft("b"))]);
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 3 }, state: "queued", waitsFor: ["me", 1] });
  });

  it("need not wait for its own store's write that is under way", async () => {
    const { commit } = setUp();
    await commit(storeDraft("a"));
    expect((await commit(storeDraft("a"))).state).toBe("sending");
  });

  it("overtakes its own store's queued write: that leaves the outbox, and the newer one waits its turn", async () => {
    const { commit, settle, database } = setUp();
    await settle(await commit(storeDraft("a")), FAILED);
    const newer = await commit(storeDraft("a"));
    expect(newer.state).toBe("queued");
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([2]);
    expect((await commit(storeDraft("a"))).state).toBe("queued");
  });

  it("overtakes a refused write, and is sent at once", async () => {
    const { commit, settle, database } = setUp();
    await settle(await commit(storeDraft("a")), REFUSED);
    expect((await commit(storeDraft("a"))).state).toBe("sending");
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([2]);
  });

  it("that overtakes leaves the other writes of that record where they are", async () => {
    const { committer, commit, database } = setUp({ mayPublish: () => false });
    await committer.commit([storeDraft("a"), storeDraft("b"), storeDraft("c")]);
    await commit(storeDraft("b"));
    expect((await allOutbox(database)).map(([, { writes }]) => writes.map(({ key, version }) => `${key}${version}`))).toEqual([
      ["a1"],
      ["c1"],
      ["b2"],
    ]);
  });

  it("that is refused overtakes nothing", async () => {
    const { committer, commit, settle, database } = setUp();
    await settle(await commit(storeDraft("a")), FAILED);
    await caught(() => committer.commit([storeDraft("a"), refusal("b")]));
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([1]);
  });

  it.each(["sending", "queued"] as const)("waits its turn waitsFor another store's write that is %s", async (state) => {
    const { commit, database } = setUp();
    await putRows(database, { a: entryRow({ writeId: ["other", 1] }) });
    await putOutbox(database, "other", { state, attempts: 0, writes: [{ sequence: 1, key: "a", version: 1, operation: "store" }] });
    expect(await commit(storeDraft("a"))).toMatchObject({ state: "queued", row: { version: 2 } });
    const left = (await allOutbox(database)).map(([[instanceId], row]) => `${instanceId} ${row.state}`);
    // What another store is sending is its own to settle.
    expect(left).toEqual(state === "sending" ? ["me queued", "other sending"] : ["me queued"]);
  });

  it("does not wait waitsFor another store's write of another key, or one that is confirmed", async () => {
    const { commit, database } = setUp();
    await putRows(database, { a: entryRow({ writeId: ["other", 1] }), b: entryRow({ writeId: ["other", 2] }) });
    await putOutbox(database, "other", {
      state: "sending",
      attempts: 0,
      writes: [{ sequence: 2, key: "b", version: 1, operation: "store" }],
    });
    expect((await commit(storeDraft("a"))).state).toBe("sending");
  });
});

describe("the state of a write", () => {
  it("is known at once, before it is written down", async () => {
    const { committer, commit, database } = setUp();
    const written = await commit(storeDraft("a"));
    const stateOf = (): Promise<unknown> =>
      database.run([ENTRIES, "outbox"], "readonly", (transaction) => committer.stateOf(transaction, written.row.writeId));
    expect(await stateOf()).toBe("sending");
    expect(committer.mayResend(1, "sending")).toBe(false);
    const settling = committer.settle(written.row.writeId[0], new Map([[1, CONFIRMED]]));
    // The outbox still says that it is being sent: it must not be sent again.
    expect(committer.mayResend(1, "sending")).toBe(false);
    expect(await stateOf()).toBeUndefined();
    await settling;
  });

  it("says whether it is to be sent again, whatever the outbox still says", async () => {
    const { committer, commit } = setUp();
    await commit(storeDraft("a"));
    const settled = committer.settle("me", new Map([[1, FAILED]]));
    expect(committer.mayResend(1, "sending")).toBe(true);
    expect(committer.mayResend(1, "queued")).toBe(true);
    await settled;
    await committer.settle("me", new Map([[1, { state: "rejected", error: "no" }]]));
    expect(committer.mayResend(1, "rejected")).toBe(false);
    // The caller has it retried.
    expect(committer.mayResend(1, "queued")).toBe(true);
  });

  it("that was queued and published by another tab is confirmed", async () => {
    const { committer, commit, settle, database } = setUp();
    const written = await commit(storeDraft("a"));
    await settle(written, FAILED);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").clear());
    const state = await database.run([ENTRIES, "outbox"], "readonly", (transaction) => committer.stateOf(transaction, written.row.writeId));
    expect(state).toBeUndefined();
  });
});

describe("an task", () => {
  it("goes along with the next write", async () => {
    const { committer, database } = setUp();
    await allRows(database);
    const transactions = watchTransactions();
    const task = committer.defer(async () => undefined);
    await committer.commit([storeDraft("a")]);
    await task;
    expect(writesAmong(transactions)).toBe(1);
  });

  it("does not wait long for one", async () => {
    const { committer, database } = setUp();
    await committer.defer(async (transaction) => {
      await resultOf(transaction.objectStore(ENTRIES).put(entryRow(), "x"));
    });
    expect(Object.keys(await allRows(database))).toEqual(["x"]);
  });

  it("that fails takes no write down, and never rejects", async () => {
    const { committer, database } = setUp();
    const task = committer.defer(async () => {
      throw new KeyStoreError("DECODE_FAILED", "no");
    });
    await committer.commit([storeDraft("a")]);
    await task;
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });
});

describe("a settlement that could not be written", () => {
  const outbox = async (database: ReturnType<typeof openDatabase>): Promise<string[]> =>
    (await allOutbox(database)).flatMap(([, { state, writes }]) => writes.map(({ key }) => `${key} ${state}`));

  it.each([
    ["confirmed", CONFIRMED, ["b sending"]],
    ["queued", FAILED, ["a queued", "b sending"]],
    ["rejected", REFUSED, ["a rejected", "b sending"]],
  ])("as %s follows the next write", async (_, settlement, expected) => {
    const { commit, settle, database } = setUp();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, settlement);
    find();
    expect(await outbox(database)).toEqual(["a sending"]);
    await commit(storeDraft("b"));
    await allTurns();
    expect(await outbox(database)).toEqual(expected);
  });

  it("is written before anybody looks who waits for that", async () => {
    const { committer, commit, settle, database } = setUp();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, CONFIRMED);
    find();
    await committer.caughtUp();
    expect(await outbox(database)).toEqual([]);
  });

  it("is not tried again for nothing while the storage is gone, but once at the end", async () => {
    const { committer, commit, settle } = setUp();
    const written = await commit(storeDraft("a"));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      loseStorage();
      const settling = settle(written, CONFIRMED);
      await vi.advanceTimersByTimeAsync(1_000);
      await settling;
      const opens = vi.spyOn(indexedDB, "open");
      await vi.advanceTimersByTimeAsync(600_000);
      expect(opens).not.toHaveBeenCalled();
      await committer.settled();
      // Each transaction is tried on two connections.
      expect(opens).toHaveBeenCalledTimes(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it("never comes after what is known since", async () => {
    const { commit, settle, database } = setUp();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, FAILED);
    find();
    await settle(written, REFUSED);
    expect(await outbox(database)).toEqual(["a rejected"]);
  });

  it("and never can be takes no write down", async () => {
    const { committer, commit, database } = setUp();
    const { openCursor } = IDBObjectStore.prototype;
    vi.spyOn(IDBObjectStore.prototype, "openCursor").mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
      const [range] = given;
      if (range instanceof IDBKeyRange && (range.lower as unknown[])[0] === "other")
        throw new DOMException("unreadable", "NotReadableError");
      return openCursor.apply(this, given);
    });
    await committer.settle("other", new Map([[1, CONFIRMED]]));
    for (const key of ["a", "b", "c"]) await commit(storeDraft(key));
    expect(Object.keys(await allRows(database))).toEqual(["a", "b", "c"]);
  });
});

describe("a group whose transaction is reported as lost", () => {
  const versions = async (database: ReturnType<typeof openDatabase>): Promise<string[]> =>
    (await allOutbox(database)).flatMap(([[instanceId], { writes }]) =>
      writes.map(({ key, version }) => `${instanceId} ${key}@${version}`),
    );
  const empty = (...tables: Table[]): Promise<void> =>
    openDatabase().run(tables, "readwrite", (transaction) => {
      for (const table of tables) transaction.objectStore(table).clear();
    });
  const onlyIf = (key: string, version: number): Draft => ({
    ...storeDraft(key),
    next: (current, ...rest) => {
      if ((current?.version ?? 0) !== version) throw new Error("another version");
      return storeDraft(key).next(current, ...rest);
    },
  });

  it("is written anew when nothing of it is there", async () => {
    const { commit, database } = setUp();
    loseAnswer(() => empty(ENTRIES, OUTBOX));
    expect(await commit(onlyIf("a", 0))).toMatchObject({ row: { version: 1 } });
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
    expect(await versions(database)).toEqual(["me a@1"]);
  });

  it("but was committed is not written twice, be it new or a newer version", async () => {
    const { commit, database } = setUp();
    for (const version of [1, 2]) {
      loseAnswer();
      expect(await commit(onlyIf("a", version - 1))).toMatchObject({ row: { version } });
      vi.restoreAllMocks();
    }
    expect(await versions(database)).toEqual(["me a@1", "me a@2"]);
  });

  it("but was committed, and cannot be looked for, is sent later, though the call rejects", async () => {
    const { committer, database, commit } = setUp();
    let find = (): void => undefined;
    loseAnswer(async () => void (find = loseStorage()));
    expect(await codeOf(() => commit(storeDraft("a")))).toBe("STORAGE_UNAVAILABLE");
    find();
    expect(await versions(database)).toEqual(["me a@1"]);
    expect(committer.mayResend(1, "sending")).toBe(true);
    expect((await commit(storeDraft("a"))).row.version).toBe(2);
  });

  it("but was committed, and is written anew after all, leaves nothing waitsFor that nobody sends", async () => {
    let find = (): void => undefined;
    const { commit, database } = setUp({
      makeRoom: async () => {
        find();
        return true;
      },
    });
    const { transaction: begin } = IDBDatabase.prototype;
    loseAnswer(async () => {
      const full = watchTransactions().mockImplementation(function (this: globalThis.IDBDatabase, ...given) {
        const transaction = begin.apply(this, given);
        setImmediate(() => (transaction as unknown as Record<string, (error: string) => void>)["_abort"]?.("QuotaExceededError"));
        return transaction;
      });
      find = () => full.mockRestore();
    });
    expect((await commit(storeDraft("a"))).row.version).toBe(2);
    expect(await versions(database)).toEqual(["me a@2"]);
  });

  it("but was committed has the results that it had, refusals and overtaken writes too", async () => {
    const { committer, commit, settle, database, groups } = setUp();
    await settle(await commit(storeDraft("b")), FAILED);
    loseAnswer();
    const outcomes = await Promise.allSettled(
      [[storeDraft("a", "1")], [storeDraft("a", "2"), refusal("x")], [onlyIf("a", 1), storeDraft("b")]].map((drafts) =>
        committer.commit(drafts),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(groups.at(-1)?.map(({ draft, row, state }) => `${draft.key}@${row.version} ${state}`)).toEqual([
      "a@1 sending",
      "a@2 sending",
      "b@2 queued",
    ]);
    expect(await versions(database)).toEqual(["me a@1", "me a@2", "me b@2"]);
    expect(committer.mayResend(1, "queued")).toBe(false);
  });

  it.each([
    ["overwritten", { version: 2, writeId: ["other", 1] as const }, true],
    ["published", { version: 1, writeId: ["me", 1] as const }, false],
  ])("but was committed, and then %s by another tab, is not written twice", async (_, row, inOutbox) => {
    const { commit, database } = setUp();
    loseAnswer(async () => {
      await putRows(openDatabase(), { a: entryRow(row) });
      if (!inOutbox) await empty(OUTBOX);
    });
    expect(await commit(onlyIf("a", 0))).toMatchObject({ row: { version: 1, writeId: ["me", 1] } });
    expect((await allRows(database))["a"]).toMatchObject(row);
    expect(await versions(database)).toEqual(inOutbox ? ["me a@1"] : []);
  });

  it("but was committed, all of it published and some of it overwritten by another tab, is not written twice", async () => {
    const { committer, database } = setUp();
    loseAnswer(async () => {
      await putRows(openDatabase(), { a: entryRow({ version: 2, writeId: ["other", 1] }) });
      await empty(OUTBOX);
    });
    const commits = await committer.commit([storeDraft("a"), storeDraft("b")]);
    expect(commits.map(({ row }) => row.version)).toEqual([1, 1]);
    expect(await allRows(database)).toMatchObject({ a: { version: 2 }, b: { version: 1 } });
  });
});

it("settled resolves when everything asked for is in the database", async () => {
  const { committer, database } = setUp();
  void committer.commit([storeDraft("a")]);
  void committer.defer(async (transaction) => {
    await resultOf(transaction.objectStore(ENTRIES).put(entryRow(), "x"));
  });
  await committer.settled();
  expect(Object.keys(await allRows(database))).toEqual(["a", "x"]);
});

/** More turns of the event loop than anything here takes. */
async function allTurns(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
}

/** The browser aborts the next writing transactions, as on a full disk: at the first put of an entry. */
function failTransactions(count: number): void {
  let failures = count;
  const failing = new WeakSet<object>();
  const { objectStore } = IDBTransaction.prototype;
  vi.spyOn(IDBTransaction.prototype, "objectStore").mockImplementation(function (this: globalThis.IDBTransaction, name) {
    const store = objectStore.call(this, name);
    if (this.mode !== "readwrite" || name !== ENTRIES || failures === 0) return store;
    for (const how of ["add", "put"] as const) {
      const write = store[how];
      store[how] = (...args) => {
        const request = write.apply(store, args);
        if (failures > 0 && !failing.has(this)) {
          failures--;
          failing.add(this);
          // As the browser does, also when the transaction is committing, which `abort()` does not.
          request.addEventListener("success", () =>
            (this as unknown as Record<string, (error: string) => void>)["_abort"]?.("QuotaExceededError"),
          );
        }
        return request;
      };
    }
    return store;
  });
}
