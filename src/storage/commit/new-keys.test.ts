import { IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import type { EntryRow } from "../../model/row.ts";
import { setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { allOutbox, allRows, useFreshIndexedDB, watchTransactions, writesAmong } from "../../testing/indexeddb.ts";
import type { Commit, Draft } from "./draft.ts";

useFreshIndexedDB();

describe("A group of keys that seem new", () => {
  /** A key seems new while memory does not hold it. */
  const remembering = (): { set: ReturnType<typeof setUpCommitter>; memory: Set<string> } => {
    const memory = new Set<string>();
    return { memory, set: setUpCommitter({ isInMemory: (key) => memory.has(key) }) };
  };

  it("is added without reading the table", async () => {
    const {
      set: { committer, database },
    } = remembering();
    await allRows(database);
    const reads = vi.spyOn(IDBObjectStore.prototype, "index");
    await committer.commit([storeDraft("a"), storeDraft("b")]);
    expect(reads).not.toHaveBeenCalled();
    expect(Object.keys(await allRows(database))).toEqual(["a", "b"]);
  });

  it("is read first when a draft has no row for an absent key, and the draft has one once its entry is read", async () => {
    const {
      set: { committer, commit, database },
    } = remembering();
    await commit(storeDraft("k", "old"));
    await commit(storeDraft("another"));
    const ifPresent = (key: string): Draft => {
      const draft = storeDraft(key, "new");
      return { ...draft, next: (present, ...facts) => (present === undefined ? undefined : draft.next(present, ...facts)) };
    };
    const commits = await committer.commit([ifPresent("k"), ifPresent("absent")]);
    expect(commits.map(({ draft, row }) => `${draft.key}@${row.version}`)).toEqual(["k@2"]);
    expect(await allRows(database)).toMatchObject({ k: { payload: "new" }, another: {} });
    expect(await allRows(database)).not.toHaveProperty("absent");
  });

  it.each([1, 100])("is read and written again when one of its %i keys exists", async (count) => {
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
  ])("is read when it also holds %s", async (_, key) => {
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
    // A call made by onWritten begins before memory has the group.
    const both =
      key === "known"
        ? commitBoth()
        : new Promise<readonly Commit[]>((resolve) => {
            void committer.commit([storeDraft(key)], undefined, () => resolve(commitBoth()));
          });
    expect((await both).map(({ row }) => row.version)).toEqual([1, 2]);
    expect(writesAmong(transactions)).toBe(key === "latest" ? 2 : 1);
  });

  it("is read when one of its drafts requires an entry", async () => {
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

  it("is read after a wrong prediction, until eight groups in a row were new", async () => {
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
