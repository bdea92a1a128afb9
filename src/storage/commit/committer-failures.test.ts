import { IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { commitOne, newCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { codeOf } from "../../testing/errors.ts";
import { allOutbox, allRows, fillStorage, openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import type { CommitterOptions } from "./committer.ts";
import type { Database } from "../idb/database.ts";
import type { Settlement } from "../outbox/outbox-table.ts";

useFreshIndexedDB();

const CONFIRMED: Settlement = { state: "confirmed" };
const FAILED: Settlement = { state: "queued", error: "lost" };
const REFUSED: Settlement = { state: "rejected", error: "denied" };

const states = async (database: Database): Promise<string[]> =>
  (await allOutbox(database)).flatMap(([[instanceId], { state, writes }]) =>
    writes.map(({ sequence }) => `${instanceId} ${sequence} ${state}`),
  );

describe("while the storage is full", () => {
  it.each<[string, CommitterOptions["makeRoom"]]>([
    ["finds nothing to evict", async () => false],
    ["fails", () => Promise.reject(new Error("the database is gone"))],
  ])("a write rejects QUOTA_EXCEEDED when making room %s, and later writes go on", async (_, makeRoom) => {
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

  it("room is made for the group, then for each call by itself: for its bytes, and without evicting its keys", async () => {
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

  it("a settlement that cannot be written asks for no room, and is written when there is room", async () => {
    const database = openDatabase();
    const makeRoom = vi.fn<CommitterOptions["makeRoom"]>().mockResolvedValue(false);
    const committer = newCommitter(database, { makeRoom });
    await committer.commit([storeDraft("a"), storeDraft("b")]);
    const empty = fillStorage();
    await committer.settle(
      "me",
      new Map([
        [1, FAILED],
        [2, REFUSED],
      ]),
    );
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending"]);
    empty();
    await committer.commit([storeDraft("c")]);
    await committer.settled();
    expect(await states(database)).toEqual(["me 1 queued", "me 2 rejected", "me 3 sending"]);
  });
});

describe("a write of this store", () => {
  const queued = async (): Promise<ReturnType<typeof newCommitter>> => {
    const committer = newCommitter(openDatabase());
    await commitOne(committer, storeDraft("a"));
    await committer.settle("me", new Map([[1, FAILED]]));
    return committer;
  };

  it.each([
    ["sending", true],
    ["queued", true],
    // Another tab has published it in between, and was refused.
    ["rejected", false],
  ] as const)("that failed, and is %s in the outbox, may be sent again: %s", async (state, expected) => {
    expect((await queued()).mayResend(1, state)).toBe(expected);
  });

  it.each([
    ["sending", false],
    // The caller has it retried.
    ["queued", true],
    ["rejected", false],
  ] as const)("that was refused, and is %s in the outbox, may be sent again: %s", async (state, expected) => {
    const committer = await queued();
    await committer.settle("me", new Map([[1, REFUSED]]));
    expect(committer.mayResend(1, state)).toBe(expected);
  });

  it.each(["sending", "queued", "rejected"] as const)(
    "that is confirmed is not sent again, though it is %s in the outbox",
    async (state) => {
      const committer = await queued();
      await committer.settle("me", new Map([[1, CONFIRMED]]));
      expect(committer.mayResend(1, state)).toBe(false);
    },
  );

  it.each(["sending", "queued", "rejected"] as const)(
    "that is being sent is not sent again, though it is %s in the outbox",
    async (state) => {
      const committer = newCommitter(openDatabase());
      await commitOne(committer, storeDraft("a"));
      expect(committer.mayResend(1, state)).toBe(false);
    },
  );
});

describe("a settlement that fails more than once", () => {
  /** The outbox records of a store cannot be read. */
  function makeUnreadable(instanceId: string): () => void {
    const { openCursor } = IDBObjectStore.prototype;
    const spy = vi.spyOn(IDBObjectStore.prototype, "openCursor").mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
      const [range] = given;
      if (range instanceof IDBKeyRange && (range.lower as unknown[])[0] === instanceId)
        throw new DOMException("unreadable", "NotReadableError");
      return openCursor.apply(this, given);
    });
    return () => spy.mockRestore();
  }

  it("is kept until a transaction can write it", async () => {
    const database = openDatabase();
    const committer = newCommitter(database);
    await putRows(database, { k2: entryRow({ writeId: ["other", 2] }) });
    await putOutbox(database, "other", {
      state: "queued",
      attempts: 0,
      writes: [1, 2].map((sequence) => ({ sequence, key: `k${sequence}`, version: 1, operation: "store" })),
    });
    const heal = makeUnreadable("other");
    await committer.settle("other", new Map([[1, CONFIRMED]]));
    await committer.settle("other", new Map([[2, REFUSED]]));
    for (const key of ["a", "b"]) await committer.commit([storeDraft(key)]);
    await committer.settled();
    heal();
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending", "other 1 queued", "other 2 queued"]);
    await committer.commit([storeDraft("c")]);
    await committer.settled();
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending", "me 3 sending", "other 2 rejected"]);
  });

  it("is forgotten when its database is gone", async () => {
    const database = openDatabase();
    const committer = newCommitter(database);
    const record = { state: "queued" as const, attempts: 0, writes: [{ sequence: 1, key: "k1", version: 1, operation: "store" as const }] };
    await putOutbox(database, "other", record);
    const heal = makeUnreadable("other");
    await committer.settle("other", new Map([[1, CONFIRMED]]));
    heal();
    committer.reset();
    await committer.commit([storeDraft("a")]);
    await committer.settled();
    expect(await states(database)).toEqual(["me 1 sending", "other 1 queued"]);
  });
});
