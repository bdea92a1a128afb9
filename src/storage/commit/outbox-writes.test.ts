import { describe, expect, it } from "vitest";
import { FAILED, failTransactions, newCommitter, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { refusal, storeDraft } from "../../testing/drafts.ts";
import { caught } from "../../testing/errors.ts";
import { allOutbox, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

describe("Sequence numbers", () => {
  it("of one outbox record are consecutive, so that every write is found in its record", async () => {
    const { committer, commit, settle, database } = setUpCommitter();
    // k1 and k3 wait for a queued write of their key; k0, k2 and k4 need not.
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

  it("are never used twice", async () => {
    const { committer, groups } = setUpCommitter();
    failTransactions(2);
    await Promise.allSettled(["a", "b", "c"].map((key) => committer.commit([storeDraft(key)])));
    await committer.commit([storeDraft("d")]);
    const numbers = groups.flat().map(({ row }) => row.writeId[1]);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe("A write", () => {
  it("is queued while nothing can be published", async () => {
    const { commit, database } = setUpCommitter({ mayPublish: () => false });
    expect((await commit(storeDraft("a"))).state).toBe("queued");
    expect((await allOutbox(database))[0]?.[1].state).toBe("queued");
  });

  it("that supersedes a queued one waits for the same predecessor", async () => {
    let mayPublish = true;
    const { commit } = setUpCommitter({ mayPublish: () => mayPublish });
    await commit(storeDraft("a"));
    mayPublish = false;
    await Promise.all([commit(storeDraft("a")), commit(storeDraft("b"))]);
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 3 }, state: "queued", waitsFor: ["me", 1] });
  });

  it("is sent at once while its own store has a write of the key in flight", async () => {
    const { commit } = setUpCommitter();
    await commit(storeDraft("a"));
    expect((await commit(storeDraft("a"))).state).toBe("sending");
  });

  it("supersedes its own store's queued write, and is queued itself", async () => {
    const { commit, settle, database } = setUpCommitter();
    await settle(await commit(storeDraft("a")), FAILED);
    const newer = await commit(storeDraft("a"));
    expect(newer.state).toBe("queued");
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([2]);
    expect((await commit(storeDraft("a"))).state).toBe("queued");
  });

  it("supersedes a rejected write, and is sent at once", async () => {
    const { commit, settle, database } = setUpCommitter();
    await settle(await commit(storeDraft("a")), REJECTED);
    expect((await commit(storeDraft("a"))).state).toBe("sending");
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([2]);
  });

  it("that supersedes one leaves the other writes of its record in the outbox", async () => {
    const { committer, commit, database } = setUpCommitter({ mayPublish: () => false });
    await committer.commit([storeDraft("a"), storeDraft("b"), storeDraft("c")]);
    await commit(storeDraft("b"));
    expect((await allOutbox(database)).map(([, { writes }]) => writes.map(({ key, version }) => `${key}${version}`))).toEqual([
      ["a1"],
      ["c1"],
      ["b2"],
    ]);
  });

  it("that its draft refuses supersedes nothing", async () => {
    const { committer, commit, settle, database } = setUpCommitter();
    await settle(await commit(storeDraft("a")), FAILED);
    await caught(() => committer.commit([storeDraft("a"), refusal("b")]));
    expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ version }) => version))).toEqual([1]);
  });

  it.each(["sending", "queued"] as const)("is queued while another store's write of the key is %s", async (state) => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: entryRow({ writeId: ["other", 1] }) });
    await putOutbox(database, "other", { state, attempts: 0, writes: [{ sequence: 1, key: "a", version: 1, operation: "store" }] });
    expect(await commit(storeDraft("a"))).toMatchObject({ state: "queued", row: { version: 2 } });
    const left = (await allOutbox(database)).map(([[instanceId], row]) => `${instanceId} ${row.state}`);
    // The other store settles its write in flight itself.
    expect(left).toEqual(state === "sending" ? ["me queued", "other sending"] : ["me queued"]);
  });

  it("is sent at once while another store's writes are confirmed or of other keys", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: entryRow({ writeId: ["other", 1] }), b: entryRow({ writeId: ["other", 2] }) });
    await putOutbox(database, "other", {
      state: "sending",
      attempts: 0,
      writes: [{ sequence: 2, key: "b", version: 1, operation: "store" }],
    });
    expect((await commit(storeDraft("a"))).state).toBe("sending");
  });
});
