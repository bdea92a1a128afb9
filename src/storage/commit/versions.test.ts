import { describe, expect, it } from "vitest";
import { commitOne, CONFIRMED, FAILED, newCommitter, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { LONG_AGO } from "../../model/row.ts";
import { deleteDraft, storeDraft } from "../../testing/drafts.ts";
import { change, rowOf } from "../../testing/entries.ts";
import { allRows, putRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { systemClock } from "../../util/clock.ts";
import { deleteDatabase } from "../idb/delete-database.ts";

useFreshIndexedDB();

describe("Versions", () => {
  it("count from 1, also within a group", async () => {
    const { committer } = setUpCommitter();
    const commits = await Promise.all([1, 2, 3].map(() => committer.commit([storeDraft("a")])));
    expect(commits.map(([commit]) => commit?.row.version)).toEqual([1, 2, 3]);
  });

  it("continue after a delete of the same group", async () => {
    const { committer } = setUpCommitter();
    const commits = await Promise.all([storeDraft("a"), deleteDraft("a"), storeDraft("a")].map((draft) => committer.commit([draft])));
    expect(commits.map(([commit]) => commit?.row.version)).toEqual([1, 2, 3]);
  });

  it("go to the draft together with the entry that it replaces, also one of the same group", async () => {
    const { committer } = setUpCommitter();
    const [, second] = await Promise.all([committer.commit([storeDraft("a", "1")]), committer.commit([storeDraft("a", "2")])]);
    expect(second[0]?.replaced).toMatchObject({ payload: "1", version: 1 });
  });

  it("continue after a confirmed delete whose tombstone is removed", async () => {
    const { commit, settle, database } = setUpCommitter();
    await commit(storeDraft("a"));
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    expect(deleted.row.version).toBe(3);
    await settle(deleted, CONFIRMED);
    expect(await allRows(database)).toEqual({});
    expect((await commit(storeDraft("a"))).row.version).toBe(4);
    expect((await commit(storeDraft("b"))).row.version).toBe(4);
    expect((await commit(deleteDraft("absent"))).row.version).toBe(4);
  });

  it("continue after a confirmed delete whose settlement is not written yet", async () => {
    const { committer, commit } = setUpCommitter();
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    const settling = committer.settle(deleted.row.writeId[0], new Map([[deleted.row.writeId[1], CONFIRMED]]));
    expect((await commit(storeDraft("a"))).row.version).toBe(3);
    await settling;
  });

  it.each([
    ["in flight", undefined],
    ["queued", FAILED],
    ["rejected", REJECTED],
  ])("continue after a delete that is %s", async (_, settlement) => {
    const { commit, settle } = setUpCommitter();
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    if (settlement !== undefined) await settle(deleted, settlement);
    const stored = await commit(storeDraft("a"));
    expect(stored.row.version).toBe(3);
    expect(stored.replaced).toBeUndefined();
  });

  it("continue above those that another tab has removed since, with new keys and with deletes of absent ones", async () => {
    const { commit, settle, database } = setUpCommitter();
    const other = newCommitter(database, { instanceId: "other" });
    await commit(storeDraft("a"));
    for (const version of [3, 5, 7]) {
      await change(database, new Map([["x", rowOf("x", { version: version - 1 })]]));
      await change(database, new Map([["x", undefined]]));
      expect((await commit(storeDraft(`new${version}`))).row.version).toBe(version);
      const deleted = await commitOne(other, deleteDraft(`absent${version}`));
      expect(deleted.row.version).toBe(version);
      await settle(deleted, CONFIRMED);
    }
  });

  it("of new keys take one transaction, and one more after another tab has raised the version floor", async () => {
    const { commit, database } = setUpCommitter();
    await commit(storeDraft("a"));
    const transactions = watchTransactions();
    await commit(storeDraft("b"));
    expect(writesAmong(transactions)).toBe(1);
    await change(database, new Map([["a", undefined]]));
    expect(writesAmong(transactions)).toBe(2);
    expect((await commit(storeDraft("c"))).row.version).toBe(2);
    expect(writesAmong(transactions)).toBe(4);
    expect((await commit(storeDraft("d"))).row.version).toBe(2);
    expect(writesAmong(transactions)).toBe(5);
  });

  it("start at 1 again in a database that was created again", async () => {
    const { commit, database } = setUpCommitter();
    await change(database, new Map([["x", rowOf("x", { version: 5 })]]));
    await change(database, new Map([["x", undefined]]));
    expect((await commit(storeDraft("a"))).row.version).toBe(6);
    database.release();
    await deleteDatabase("nas-keystore/test", systemClock);
    expect((await commit(storeDraft("b"))).row.version).toBe(1);
  });

  it("continue after a confirmed entry has expired", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: entryRow({ version: 7, expiresAt: LONG_AGO }) });
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 8 }, replaced: undefined });
  });

  it("continue after an unconfirmed entry has expired", async () => {
    const { commit } = setUpCommitter();
    await commit(storeDraft("a", "1", { expiresAt: LONG_AGO }));
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 2 }, replaced: undefined });
  });

  it("of a delete are one above the version of the row, else above the version floor", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { expired: entryRow({ version: 4, expiresAt: NOW }), lives: entryRow({ version: 2 }), deleted: tombstone(5) });
    expect((await commit(deleteDraft("absent"))).row.version).toBe(1);
    expect((await commit(deleteDraft("lives"))).row.version).toBe(3);
    expect((await commit(deleteDraft("expired"))).row.version).toBe(5);
    expect((await commit(deleteDraft("deleted"))).row.version).toBe(6);
  });

  it("continue above the version of a damaged row, else above the version floor", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: { version: 3, payload: 5 }, b: "rubbish" });
    expect((await commit(storeDraft("a"))).row.version).toBe(4);
    expect((await commit(storeDraft("b"))).row.version).toBe(1);
  });
});
