import { describe, expect, it } from "vitest";
import { CONFIRMED, FAILED, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { LONG_AGO } from "../../model/row.ts";
import { deleteDraft, storeDraft } from "../../testing/drafts.ts";
import { allOutbox, allRows, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";

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

  it("start at 1 after a confirmed delete", async () => {
    const { commit, settle, database } = setUpCommitter();
    await commit(storeDraft("a"));
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    expect(deleted.row.version).toBe(3);
    await settle(deleted, CONFIRMED);
    expect(await allRows(database)).toEqual({});
    expect((await commit(storeDraft("a"))).row.version).toBe(1);
  });

  it("start at 1 after a confirmed delete whose settlement is not written yet", async () => {
    const { committer, commit } = setUpCommitter();
    await commit(storeDraft("a"));
    const deleted = await commit(deleteDraft("a"));
    const settling = committer.settle(deleted.row.writeId[0], new Map([[deleted.row.writeId[1], CONFIRMED]]));
    expect((await commit(storeDraft("a"))).row.version).toBe(1);
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

  it("start at 1 after a confirmed delete that is still in the outbox, and the delete leaves the outbox", async () => {
    const { commit, database } = setUpCommitter();
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
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: entryRow({ version: 7, expiresAt: LONG_AGO }) });
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 1 }, replaced: undefined });
  });

  it("continue after an unconfirmed entry has expired", async () => {
    const { commit } = setUpCommitter();
    await commit(storeDraft("a", "1", { expiresAt: LONG_AGO }));
    expect(await commit(storeDraft("a"))).toMatchObject({ row: { version: 2 }, replaced: undefined });
  });

  it("of a delete are one above the last known version, else 1", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { expired: entryRow({ version: 4, expiresAt: NOW }), lives: entryRow({ version: 2 }), deleted: tombstone(5) });
    expect((await commit(deleteDraft("absent"))).row.version).toBe(1);
    expect((await commit(deleteDraft("lives"))).row.version).toBe(3);
    expect((await commit(deleteDraft("expired"))).row.version).toBe(5);
    expect((await commit(deleteDraft("deleted"))).row.version).toBe(6);
  });

  it("continue above the version of a damaged row, and start at 1 if it has none", async () => {
    const { commit, database } = setUpCommitter();
    await putRows(database, { a: { version: 3, payload: 5 }, b: "rubbish" });
    expect((await commit(storeDraft("a"))).row.version).toBe(4);
    expect((await commit(storeDraft("b"))).row.version).toBe(1);
  });
});
