import { describe, expect, it, vi } from "vitest";
import { FAILED, newCommitter, REJECTED } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { codeOf } from "../../testing/errors.ts";
import { allOutbox, allRows, fillStorage, openDatabase, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import type { Database } from "../idb/database.ts";
import type { CommitterOptions } from "./committer.ts";

useFreshIndexedDB();

const states = async (database: Database): Promise<string[]> =>
  (await allOutbox(database)).flatMap(([[instanceId], { state, writes }]) =>
    writes.map(({ sequence }) => `${instanceId} ${sequence} ${state}`),
  );

describe("While the storage is full", () => {
  it.each<[string, CommitterOptions["makeRoom"]]>([
    ["finds nothing to evict", async () => false],
    ["fails", () => Promise.reject(new Error("the database is gone"))],
  ])("a write rejects with QUOTA_EXCEEDED when makeRoom %s, and later writes commit", async (_, makeRoom) => {
    const database = openDatabase();
    const committer = newCommitter(database, { makeRoom });
    await allRows(database);
    const empty = fillStorage();
    expect(await codeOf(() => committer.commit([storeDraft("a")]))).toBe("QUOTA_EXCEEDED");
    const both = await Promise.all(["b", "c"].map((key) => codeOf(() => committer.commit([storeDraft(key)]))));
    expect(both).toEqual(["QUOTA_EXCEEDED", "QUOTA_EXCEEDED"]);
    empty();
    await committer.commit([storeDraft("d")]);
    await committer.settled();
    expect(Object.keys(await allRows(database))).toEqual(["d"]);
  });

  it("makeRoom is called for the group, then for each call, with its bytes and the keys to keep", async () => {
    const database = openDatabase();
    const makeRoom = vi.fn<CommitterOptions["makeRoom"]>().mockResolvedValue(false);
    const committer = newCommitter(database, { makeRoom });
    await allRows(database);
    fillStorage();
    const large = "x".repeat(200_000);
    await Promise.allSettled([committer.commit([storeDraft("a"), storeDraft("b")]), committer.commit([storeDraft("c", large)])]);
    expect(makeRoom.mock.calls.map(([, keys]) => keys)).toEqual([["a", "b", "c"], ["a", "b"], ["c"]]);
    const [, few = Infinity, many = 0] = makeRoom.mock.calls.map(([bytes]) => bytes);
    expect(few).toBeLessThan(many);
    expect(many).toBeGreaterThanOrEqual(large.length);
  });

  it("a settlement that cannot be written is kept, and written once there is room", async () => {
    const database = openDatabase();
    const makeRoom = vi.fn<CommitterOptions["makeRoom"]>().mockResolvedValue(false);
    const committer = newCommitter(database, { makeRoom });
    await committer.commit([storeDraft("a"), storeDraft("b")]);
    const empty = fillStorage();
    await committer.settle(
      "me",
      new Map([
        [1, FAILED],
        [2, REJECTED],
      ]),
    );
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending"]);
    empty();
    await committer.commit([storeDraft("c")]);
    await committer.settled();
    expect(await states(database)).toEqual(["me 1 queued", "me 2 rejected", "me 3 sending"]);
  });
});
