import { describe, expect, it } from "vitest";
import { setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { allRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import { KeyStoreError } from "../../util/errors.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

describe("A deferred task", () => {
  it("goes into the transaction of the next write", async () => {
    const { committer, database } = setUpCommitter({ clock: new FakeClock() });
    await allRows(database);
    const transactions = watchTransactions();
    const task = committer.defer(async () => undefined);
    await committer.commit([storeDraft("a")]);
    await task;
    expect(writesAmong(transactions)).toBe(1);
  });

  it("gets a transaction of its own when no write comes within 5 ms", async () => {
    const clock = new FakeClock();
    const { committer, database } = setUpCommitter({ clock });
    const task = committer.defer((transaction) => {
      transaction.objectStore(ENTRIES).put(entryRow(), "x");
      return undefined;
    });
    await clock.advance(4);
    expect(await allRows(database)).toEqual({});
    await clock.advance(1);
    await task;
    expect(Object.keys(await allRows(database))).toEqual(["x"]);
    expect(clock.timers).toBe(0);
  });

  it("that fails makes no write fail, and never rejects", async () => {
    const { committer, database } = setUpCommitter({ clock: new FakeClock() });
    const task = committer.defer(async () => {
      throw new KeyStoreError("DECODE_FAILED", "no");
    });
    await committer.commit([storeDraft("a")]);
    await task;
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
  });
});
