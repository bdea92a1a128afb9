import { describe, expect, it } from "vitest";
import { commitOne, CONFIRMED, FAILED, newCommitter, REJECTED, setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { allOutbox, openDatabase, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { ENTRIES } from "../idb/schema.ts";

useFreshIndexedDB();

describe("The state of an own write", () => {
  it("is known before the outbox records it", async () => {
    const { committer, commit, database } = setUpCommitter();
    const written = await commit(storeDraft("a"));
    const stateOf = (): Promise<unknown> =>
      database.run([ENTRIES, "outbox"], "readonly", (transaction) => committer.stateOf(transaction, written.row.writeId));
    expect(await stateOf()).toBe("sending");
    expect(committer.mayResend(1, "sending")).toBe(false);
    const settling = committer.settle(written.row.writeId[0], new Map([[1, CONFIRMED]]));
    // The outbox still has it as sending: it must not be sent again.
    expect(committer.mayResend(1, "sending")).toBe(false);
    expect(await stateOf()).toBeUndefined();
    await settling;
  });

  it("of a call with several outbox records leaves the outbox once all of them are confirmed", async () => {
    const { committer, database } = setUpCommitter();
    const commits = await committer.commit(Array.from({ length: 1_100 }, (_, n) => storeDraft(`k${n}`)));
    expect(await allOutbox(database)).toHaveLength(3);
    await committer.settle("me", new Map(commits.map(({ row }) => [row.writeId[1], CONFIRMED])));
    expect(await allOutbox(database)).toEqual([]);
  });

  it("decides whether the relay may send it, whatever the outbox has recorded", async () => {
    const { committer, commit } = setUpCommitter();
    await commit(storeDraft("a"));
    const settled = committer.settle("me", new Map([[1, FAILED]]));
    expect(committer.mayResend(1, "sending")).toBe(true);
    expect(committer.mayResend(1, "queued")).toBe(true);
    await settled;
    await committer.settle("me", new Map([[1, { state: "rejected", error: "no" }]]));
    expect(committer.mayResend(1, "rejected")).toBe(false);
    // The caller retries it.
    expect(committer.mayResend(1, "queued")).toBe(true);
  });

  it("is confirmed once another tab has published it", async () => {
    const { committer, commit, settle, database } = setUpCommitter();
    const written = await commit(storeDraft("a"));
    await settle(written, FAILED);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").clear());
    const state = await database.run([ENTRIES, "outbox"], "readonly", (transaction) => committer.stateOf(transaction, written.row.writeId));
    expect(state).toBeUndefined();
  });
});

describe("An own write", () => {
  const queued = async (): Promise<ReturnType<typeof newCommitter>> => {
    const committer = newCommitter(openDatabase());
    await commitOne(committer, storeDraft("a"));
    await committer.settle("me", new Map([[1, FAILED]]));
    return committer;
  };

  it.each([
    ["sending", true],
    ["queued", true],
    // Another tab has tried it since, and the server rejected it.
    ["rejected", false],
  ] as const)("that failed, and is %s in the outbox, may be sent again: %s", async (state, expected) => {
    expect((await queued()).mayResend(1, state)).toBe(expected);
  });

  it.each([
    ["sending", false],
    // The caller retries it.
    ["queued", true],
    ["rejected", false],
  ] as const)("that was rejected, and is %s in the outbox, may be sent again: %s", async (state, expected) => {
    const committer = await queued();
    await committer.settle("me", new Map([[1, REJECTED]]));
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
    "that is in flight is not sent again, though it is %s in the outbox",
    async (state) => {
      const committer = newCommitter(openDatabase());
      await commitOne(committer, storeDraft("a"));
      expect(committer.mayResend(1, state)).toBe(false);
    },
  );
});

it("Settlements of two records do not count as a whole record when they are as many as the first one holds", async () => {
  const { committer, database } = setUpCommitter();
  await Promise.all(["a", "b"].map((key) => committer.commit([storeDraft(key)])));
  await committer.commit([storeDraft("c")]);
  await committer.settle(
    "me",
    new Map([
      [1, CONFIRMED],
      [3, CONFIRMED],
    ]),
  );
  expect((await allOutbox(database)).flatMap(([, { writes }]) => writes.map(({ key }) => key))).toEqual(["b"]);
});
