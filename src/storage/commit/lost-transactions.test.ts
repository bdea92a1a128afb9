import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { FAILED, setUpCommitter } from "../../testing/committer.ts";
import { refusal, storeDraft } from "../../testing/drafts.ts";
import { codeOf } from "../../testing/errors.ts";
import {
  allOutbox,
  allRows,
  loseAnswer,
  loseStorage,
  openDatabase,
  putRows,
  useFreshIndexedDB,
  watchTransactions,
} from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import { ENTRIES, OUTBOX, type Table } from "../idb/schema.ts";
import type { Draft } from "./draft.ts";

useFreshIndexedDB();

describe("A group whose transaction is reported as lost", () => {
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

  it("is written again when the database has nothing of it", async () => {
    const { commit, database } = setUpCommitter();
    loseAnswer(() => empty(ENTRIES, OUTBOX));
    expect(await commit(onlyIf("a", 0))).toMatchObject({ row: { version: 1 } });
    expect(Object.keys(await allRows(database))).toEqual(["a"]);
    expect(await versions(database)).toEqual(["me a@1"]);
  });

  it("but was committed is not written twice, whether its key is new or not", async () => {
    const { commit, database } = setUpCommitter();
    for (const version of [1, 2]) {
      loseAnswer();
      expect(await commit(onlyIf("a", version - 1))).toMatchObject({ row: { version } });
      vi.restoreAllMocks();
    }
    expect(await versions(database)).toEqual(["me a@1", "me a@2"]);
  });

  it("but was committed, and cannot be read, is published later, though the call rejects", async () => {
    const { committer, database, commit } = setUpCommitter();
    let find = (): void => undefined;
    loseAnswer(async () => void (find = loseStorage()));
    expect(await codeOf(() => commit(storeDraft("a")))).toBe("STORAGE_UNAVAILABLE");
    find();
    expect(await versions(database)).toEqual(["me a@1"]);
    expect(committer.mayResend(1, "sending")).toBe(true);
    expect((await commit(storeDraft("a"))).row.version).toBe(2);
  });

  it("but was committed, and is written again after all, leaves no write in the outbox that nobody sends", async () => {
    let find = (): void => undefined;
    const { commit, database } = setUpCommitter({
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

  it("but was committed keeps its results, refusals and superseded writes included", async () => {
    const { committer, commit, settle, database, groups } = setUpCommitter();
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
    const { commit, database } = setUpCommitter();
    loseAnswer(async () => {
      await putRows(openDatabase(), { a: entryRow(row) });
      if (!inOutbox) await empty(OUTBOX);
    });
    expect(await commit(onlyIf("a", 0))).toMatchObject({ row: { version: 1, writeId: ["me", 1] } });
    expect((await allRows(database))["a"]).toMatchObject(row);
    expect(await versions(database)).toEqual(inOutbox ? ["me a@1"] : []);
  });

  it("but was committed, then published and in part overwritten by another tab, is not written twice", async () => {
    const { committer, database } = setUpCommitter();
    loseAnswer(async () => {
      await putRows(openDatabase(), { a: entryRow({ version: 2, writeId: ["other", 1] }) });
      await empty(OUTBOX);
    });
    const commits = await committer.commit([storeDraft("a"), storeDraft("b")]);
    expect(commits.map(({ row }) => row.version)).toEqual([1, 1]);
    expect(await allRows(database)).toMatchObject({ a: { version: 2 }, b: { version: 1 } });
  });
});
