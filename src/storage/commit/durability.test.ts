import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it } from "vitest";
import { CONFIRMED, FAILED, setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import {
  allOutbox,
  allRows,
  fillStorage,
  openDatabase,
  putOutbox,
  putRows,
  useFreshIndexedDB,
  watchTransactions,
} from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";

useFreshIndexedDB();

/** The durabilities of the writing transactions since, in their order. */
function watchDurabilities(): () => unknown[] {
  const transactions = watchTransactions();
  return () => transactions.mock.calls.flatMap(([, mode, options]) => (mode === "readwrite" ? [options?.durability] : []));
}

const settleFirst = (state: typeof CONFIRMED): ReadonlyMap<number, typeof CONFIRMED> => new Map([[1, state]]);

describe("The durability of a commit", () => {
  it("is relaxed while writes can be published at once", async () => {
    const { commit } = setUpCommitter({ clock: new FakeClock() });
    const durabilities = watchDurabilities();
    expect((await commit(storeDraft("a"))).durability).toBe("relaxed");
    expect(durabilities()).toEqual(["relaxed"]);
  });

  it("is strict while writes cannot be published", async () => {
    const { commit } = setUpCommitter({ clock: new FakeClock(), mayPublish: () => false });
    const durabilities = watchDurabilities();
    expect((await commit(storeDraft("a"))).durability).toBe("strict");
    expect(durabilities()).toEqual(["strict"]);
  });

  it("is relaxed while writes go before a settlement, and strict once the settlement has waited 100 ms", async () => {
    const clock = new FakeClock();
    const { committer, commit, database } = setUpCommitter({ clock });
    const durabilities = watchDurabilities();
    await commit(storeDraft("a"));
    const settled = committer.settle("me", settleFirst(CONFIRMED));
    for (let waited = 4; waited <= 96; waited += 4) {
      await clock.advance(4);
      await commit(storeDraft(`after ${waited} ms`));
    }
    expect(new Set(durabilities())).toEqual(new Set(["relaxed"]));
    await clock.advance(4);
    await commit(storeDraft("last"));
    await settled;
    expect(durabilities().at(-1)).toBe("strict");
    expect((await allOutbox(database)).map(([[, sequence]]) => sequence)).not.toContain(1);
  });

  it("is strict for a settlement that gets a transaction of its own, once none has run for 5 ms", async () => {
    const clock = new FakeClock();
    const { committer, commit } = setUpCommitter({ clock });
    const durabilities = watchDurabilities();
    await commit(storeDraft("a"));
    const settled = committer.settle("me", settleFirst(CONFIRMED));
    await clock.advance(4);
    expect(durabilities()).toEqual(["relaxed"]);
    await clock.advance(1);
    await settled;
    expect(durabilities()).toEqual(["relaxed", "strict"]);
  });
});

describe("A relaxed commit of a queued write", () => {
  it("is followed by a strict transaction", async () => {
    const clock = new FakeClock();
    const database = openDatabase();
    await putRows(database, { a: entryRow({ writeId: ["other", 1] }) });
    await putOutbox(database, "other", {
      state: "queued",
      attempts: 0,
      writes: [{ sequence: 1, key: "a", version: 1, operation: "store" }],
    });
    const { committer, commit } = setUpCommitter({ clock, isInMemory: () => true });
    const durabilities = watchDurabilities();
    expect(await commit(storeDraft("a"))).toMatchObject({ state: "queued", durability: "relaxed" });
    await clock.advance(20);
    await committer.settled();
    expect(durabilities()).toEqual(["relaxed", "strict"]);
  });
});

describe("durable", () => {
  it("resolves at once for a strict commit", async () => {
    const { committer, commit } = setUpCommitter({ clock: new FakeClock(), mayPublish: () => false });
    const durabilities = watchDurabilities();
    await committer.durable(await commit(storeDraft("a")));
    expect(durabilities()).toEqual(["strict"]);
  });

  it("resolves after a strict transaction that records the write as queued, without waiting for a timer", async () => {
    const { committer, commit, database } = setUpCommitter({ clock: new FakeClock() });
    const durabilities = watchDurabilities();
    const written = await commit(storeDraft("a"));
    void committer.settle("me", settleFirst(FAILED));
    await committer.durable(written);
    expect(durabilities()).toEqual(["relaxed", "strict"]);
    expect((await allOutbox(database)).map(([, { state }]) => state)).toEqual(["queued"]);
  });

  it("does not resolve before that transaction has completed", async () => {
    const { committer, commit } = setUpCommitter({ clock: new FakeClock() });
    const written = await commit(storeDraft("a"));
    const order: string[] = [];
    const { transaction: begin } = IDBDatabase.prototype;
    watchTransactions().mockImplementation(function (this: globalThis.IDBDatabase, ...given) {
      const transaction = begin.apply(this, given);
      transaction.addEventListener("complete", () => order.push(`${given[2]?.durability} complete`));
      return transaction;
    });
    await committer.durable(written).then(() => order.push("durable"));
    expect(order).toEqual(["strict complete", "durable"]);
  });

  it("shares one transaction among the commits that wait, which leaves the outbox as it was", async () => {
    const { committer, commit, database } = setUpCommitter({ clock: new FakeClock() });
    const commits = [await commit(storeDraft("a")), await commit(storeDraft("b"))];
    const before = await allOutbox(database);
    const durabilities = watchDurabilities();
    await Promise.all(commits.map((written) => committer.durable(written)));
    expect(durabilities()).toEqual(["strict"]);
    expect(await allOutbox(database)).toEqual(before);
  });

  it("resolves when the strict transaction fails, since the write is committed", async () => {
    const { committer, commit, database } = setUpCommitter({ clock: new FakeClock() });
    const written = await commit(storeDraft("a"));
    const empty = fillStorage();
    await expect(committer.durable(written)).resolves.toBeUndefined();
    empty();
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });
});
