import { describe, expect, it } from "vitest";
import { setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { caught } from "../../testing/errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { deferred } from "../../testing/fake-connection.ts";
import { allRows, resultOf, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import { ENTRIES } from "../idb/schema.ts";
import type { Draft } from "./draft.ts";

useFreshIndexedDB();

describe("A group", () => {
  it("commits a single write in one transaction, without waiting for a timer", async () => {
    const clock = new FakeClock();
    const { committer, database } = setUpCommitter({ clock });
    await allRows(database);
    const transactions = watchTransactions();
    await committer.commit([storeDraft("a")]);
    expect(transactions).toHaveBeenCalledTimes(1);
    expect(clock.timers).toBe(0);
  });

  it("holds all calls of one turn", async () => {
    const { committer, groups, database } = setUpCommitter();
    await allRows(database);
    const transactions = watchTransactions();
    await Promise.all(["a", "b", "c"].map((key) => committer.commit([storeDraft(key)])));
    expect(writesAmong(transactions)).toBe(1);
    expect(groups.map((group) => group.map(({ draft }) => draft.key))).toEqual([["a", "b", "c"]]);
  });

  it("holds all calls that waited while a transaction ran", async () => {
    const { promise: running, resolve: beginCommit } = deferred<readonly string[]>();
    const { committer, groups, database } = setUpCommitter();
    await allRows(database);
    const transactions = watchTransactions();
    const first = committer.commit([{ ...storeDraft("a"), writer: { beginCommit } }]);
    await running;
    const rest = ["b", "c", "d"].map((key) => committer.commit([storeDraft(key)]));
    await Promise.all([first, ...rest]);
    expect(writesAmong(transactions)).toBe(2);
    expect(groups.map((group) => group.length)).toEqual([1, 3]);
  });

  it("is limited by the number of its writes, but never splits a call", async () => {
    const { committer, groups } = setUpCommitter();
    const calls = Array.from({ length: 4 }, (_, call) => Array.from({ length: 200 }, (__, sequence) => storeDraft(`${call}/${sequence}`)));
    const large = Array.from({ length: 600 }, (_, sequence) => storeDraft(`large/${sequence}`));
    await Promise.all([...calls, large].map((drafts) => committer.commit(drafts)));
    expect(groups.map((group) => group.length)).toEqual([400, 400, 600]);
  });

  it("is limited by its bytes", async () => {
    const { committer, groups } = setUpCommitter();
    const heavy = (key: string): Draft => ({ ...storeDraft(key), weight: 3 * 1024 * 1024 });
    await Promise.all(["a", "b"].map((key) => committer.commit([heavy(key)])));
    expect(groups.map((group) => group.length)).toEqual([1, 1]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])("commits a call that comes %i microtasks after the one before has resolved", async (turns) => {
    const { committer } = setUpCommitter();
    let later: Promise<unknown> | undefined;
    await committer.commit([storeDraft("a")]).then(async () => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      later = committer.commit([storeDraft("b")]);
    });
    expect(await later).toMatchObject([{ row: { version: 1 } }]);
  });

  it("reports its commits before its calls resolve, in call order", async () => {
    const order: string[] = [];
    const { committer } = setUpCommitter({ onCommitted: (commits) => order.push(`group of ${commits.length}`) });
    await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key)]).then(() => order.push(key))));
    expect(order).toEqual(["group of 2", "a", "b"]);
  });

  it("leaves out a call whose signal is aborted before the transaction begins, and rejects it with the signal's reason", async () => {
    const { promise: running, resolve: beginCommit } = deferred<readonly string[]>();
    const { committer, database } = setUpCommitter();
    const controller = new AbortController();
    const first = committer.commit([{ ...storeDraft("a"), writer: { beginCommit } }]);
    await running;
    const aborted = committer.commit([storeDraft("b")], controller.signal);
    controller.abort(new RangeError("enough"));
    expect(await caught(() => aborted)).toEqual(new RangeError("enough"));
    await first;
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });
});

it("settled resolves when every call and task is committed", async () => {
  const { committer, database } = setUpCommitter();
  void committer.commit([storeDraft("a")]);
  void committer.defer(async (transaction) => {
    await resultOf(transaction.objectStore(ENTRIES).put(entryRow(), "x"));
  });
  await committer.settled();
  expect(Object.keys(await allRows(database))).toEqual(["a", "x"]);
});
