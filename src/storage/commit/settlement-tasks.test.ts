import { IDBObjectStore } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { CONFIRMED, FAILED, newCommitter, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { allOutbox, allRows, loseStorage, openDatabase, putOutbox, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import type { Database } from "../idb/database.ts";

useFreshIndexedDB();

const states = async (database: Database): Promise<string[]> =>
  (await allOutbox(database)).flatMap(([[instanceId], { state, writes }]) =>
    writes.map(({ sequence }) => `${instanceId} ${sequence} ${state}`),
  );

describe("A settlement that could not be written", () => {
  const outbox = async (database: ReturnType<typeof openDatabase>): Promise<string[]> =>
    (await allOutbox(database)).flatMap(([, { state, writes }]) => writes.map(({ key }) => `${key} ${state}`));

  it.each([
    ["confirmed", CONFIRMED, ["b sending"]],
    ["queued", FAILED, ["a queued", "b sending"]],
    ["rejected", REJECTED, ["a rejected", "b sending"]],
  ])("follows the next write, as %s", async (_, settlement, expected) => {
    const { committer, commit, settle, database } = setUpCommitter();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, settlement);
    find();
    expect(await outbox(database)).toEqual(["a sending"]);
    await commit(storeDraft("b"));
    await committer.settled();
    expect(await outbox(database)).toEqual(expected);
  });

  it("is written before caughtUp resolves", async () => {
    const { committer, commit, settle, database } = setUpCommitter();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, CONFIRMED);
    find();
    await committer.caughtUp();
    expect(await outbox(database)).toEqual([]);
  });

  it("is tried again every 10 s while there are no other transactions, until it is written", async () => {
    const clock = new FakeClock();
    const { committer, commit, settle, database } = setUpCommitter({ clock });
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    const settling = settle(written, CONFIRMED);
    await clock.advance(20);
    await settling;
    const opens = vi.spyOn(indexedDB, "open");
    await clock.advance(9_900);
    expect(opens).not.toHaveBeenCalled();
    await clock.advance(100);
    // Each transaction is tried on two connections.
    expect(opens).toHaveBeenCalledTimes(2);
    find();
    await clock.advance(10_000);
    await committer.settled();
    expect(await outbox(database)).toEqual([]);
    await clock.advance(600_000);
    expect(clock.timers).toBe(0);
  });

  it("is tried once more by close, and never again", async () => {
    const clock = new FakeClock();
    const { committer, commit, settle } = setUpCommitter({ clock });
    const written = await commit(storeDraft("a"));
    loseStorage();
    const settling = settle(written, CONFIRMED);
    await clock.advance(20);
    await settling;
    const opens = vi.spyOn(indexedDB, "open");
    await committer.close();
    expect(opens).toHaveBeenCalledTimes(2);
    await clock.advance(600_000);
    expect(opens).toHaveBeenCalledTimes(2);
    expect(clock.timers).toBe(0);
  });

  it("is never written after a newer one", async () => {
    const { commit, settle, database } = setUpCommitter();
    const written = await commit(storeDraft("a"));
    const find = loseStorage();
    await settle(written, FAILED);
    find();
    await settle(written, REJECTED);
    expect(await outbox(database)).toEqual(["a rejected"]);
  });

  it("and never can be makes no write fail", async () => {
    const { committer, commit, database } = setUpCommitter();
    const { openCursor } = IDBObjectStore.prototype;
    vi.spyOn(IDBObjectStore.prototype, "openCursor").mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
      const [range] = given;
      if (range instanceof IDBKeyRange && (range.lower as unknown[])[0] === "other")
        throw new DOMException("unreadable", "NotReadableError");
      return openCursor.apply(this, given);
    });
    await committer.settle("other", new Map([[1, CONFIRMED]]));
    for (const key of ["a", "b", "c"]) await commit(storeDraft(key));
    expect(Object.keys(await allRows(database))).toEqual(["a", "b", "c"]);
  });
});

describe("A settlement that fails more than once", () => {
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
    await committer.settle("other", new Map([[2, REJECTED]]));
    for (const key of ["a", "b"]) await committer.commit([storeDraft(key)]);
    await committer.settled();
    heal();
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending", "other 1 queued", "other 2 queued"]);
    await committer.commit([storeDraft("c")]);
    await committer.settled();
    expect(await states(database)).toEqual(["me 1 sending", "me 2 sending", "me 3 sending", "other 2 rejected"]);
  });

  it("is dropped when its database is gone", async () => {
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
