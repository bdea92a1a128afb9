import { describe, expect, it } from "vitest";
import type { EntryRow } from "../../model/row.ts";
import { commitOne, CONFIRMED, FAILED, setUpCommitter } from "../../testing/committer.ts";
import { deleteDraft, storeDraft } from "../../testing/drafts.ts";
import { allRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { planOne } from "../../testing/planning.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { readRevision } from "../entries/revisions.ts";
import { ENTRIES, REVISIONS } from "../idb/schema.ts";
import { inStream, type Commit, type Draft } from "./draft.ts";
import { commitsOf, planGroup, type Slot } from "./plan.ts";

useFreshIndexedDB();

/** The draft of a message of another browser. */
function pulled(key: string, revision: number, { version = 1, base }: { version?: number | "next"; base?: number } = {}): Draft {
  return { ...storeDraft(key, '"theirs"', { revision }), policy: { ...inStream(version, revision), base } };
}

function pulledDelete(key: string, revision: number, version: number | "next" = "next", base?: number): Draft {
  return { ...deleteDraft(key), policy: { ...inStream(version, revision), base } };
}

function plan(draft: Draft, slot: Partial<Slot>) {
  return planOne(draft, slot, { floor: 0, pulledTo: 40 });
}

const EMPTY: Slot = { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined };

/** The commits of drafts of "k" that are committed together. */
function planAll(drafts: readonly Draft[], slot = EMPTY): readonly Commit[] {
  let last = 0;
  const context = {
    instanceId: "me",
    generation: "g",
    mayPublish: true,
    durability: "relaxed",
    floor: 0,
    pulledTo: 0,
    nextSequence: () => ++last,
  } as const;
  return commitsOf(planGroup([drafts], new Map([["k", slot]]), NOW, context));
}

const present = (version: number): EntryRow => entryRow({ version });

describe("The plan of a pulled message", () => {
  it("takes the message of a newer revision only, whatever the versions are", () => {
    expect(plan(pulled("k", 7), { row: present(9), revision: 6 })?.row).toMatchObject({ version: 1, floor: 9, revision: 7 });
    expect(plan(pulled("k", 7), { row: present(9), revision: 7 })).toBeUndefined();
    expect(plan(pulled("k", 7, { version: 20 }), { row: present(9), revision: 8 })).toBeUndefined();
    expect(plan(pulled("k", 7), { revision: 8 })).toBeUndefined();
    expect(plan(pulled("k", 7), {})?.row).toMatchObject({ version: 1 });
  });

  it("leaves an unconfirmed write", () => {
    expect(plan(pulled("k", 7), { row: present(1), unconfirmed: true, revision: 1 })).toBeUndefined();
    expect(plan(pulledDelete("k", 7), { row: tombstone(2), unconfirmed: true, revision: 1 })).toBeUndefined();
  });

  it("is not published and has no base", () => {
    const commit = plan(pulled("k", 7), { row: present(1), revision: 1 });
    expect(commit?.state).toBeUndefined();
    expect(commit?.row).not.toHaveProperty("base");
  });

  it("gives a delete without a version the next one", () => {
    expect(plan(pulledDelete("k", 7), { row: present(4), revision: 1 })?.row.version).toBe(5);
  });

  it("counts a sequence of messages of one key in its order", () => {
    const commits = planAll([pulled("k", 5), pulled("k", 4), pulledDelete("k", 6)]);
    expect(commits).toMatchObject([{ draft: { operation: "store" } }, { draft: { operation: "delete" } }]);
  });

  it("leaves a write of this browser that comes before it in the group", () => {
    expect(planAll([storeDraft("k", '"mine"'), pulled("k", 9)])).toMatchObject([{ draft: { payload: '"mine"' } }]);
  });

  it("overrules an own write once: what a second message replaces is another browser's", () => {
    const own = { ...EMPTY, row: present(3), revision: 6, ownRevision: 6 };
    const commits = planAll([pulled("k", 7, { base: 0 }), pulled("k", 8, { base: 0 })], own);
    expect(commits.map(({ overruled }) => overruled?.version)).toEqual([3, undefined]);
  });

  it("overrules nothing where it is an own write that was published first", () => {
    const writer = { beginCommit: () => undefined };
    const own = { row: present(3), revision: 6, ownRevision: 6 };
    expect(plan({ ...pulled("k", 7, { version: 3 }), writer }, own)?.overruled).toBeUndefined();
  });

  it("overrules an own write that its writer had not seen: by its base, else by the versions", () => {
    const own = { row: present(3), revision: 6, ownRevision: 6 };
    expect(plan(pulled("k", 7, { base: 5 }), own)?.overruled).toMatchObject({ version: 3, revision: 6 });
    expect(plan(pulled("k", 7, { base: 6 }), own)?.overruled).toBeUndefined();
    expect(plan(pulled("k", 7, { version: 3 }), own)?.overruled).toMatchObject({ version: 3 });
    expect(plan(pulled("k", 7, { version: 4 }), own)?.overruled).toBeUndefined();
    expect(plan(pulledDelete("k", 7, "next", 5), own)?.overruled).toMatchObject({ version: 3 });
    // Another browser's entry, an expired one, and a delete have no value that is lost here.
    expect(plan(pulled("k", 7, { base: 0 }), { ...own, ownRevision: undefined })?.overruled).toBeUndefined();
    expect(plan(pulled("k", 7, { base: 0 }), { ...own, row: entryRow({ expiresAt: NOW - 1 }) })?.overruled).toBeUndefined();
    expect(plan(pulled("k", 7, { base: 0 }), { ...own, row: tombstone(3) })?.overruled).toBeUndefined();
  });
});

describe("The base of a write", () => {
  const baseOf = (slot: Partial<Slot>): unknown => (plan(storeDraft("k"), slot)?.row as EntryRow | undefined)?.base;

  it("is the revision of the row that it replaces, else how far this browser has pulled", () => {
    expect(baseOf({ row: entryRow({ revision: 7 }) })).toBe(7);
    expect(baseOf({})).toBe(40);
  });

  it("stays that of an own row: others may have written before it", () => {
    expect(baseOf({ row: entryRow({ base: 3 }), revision: 9, ownRevision: 9 })).toBe(3);
  });
});

describe("The table of revisions", () => {
  const revisionOf = ({ database }: ReturnType<typeof setUpCommitter>, key: string) =>
    database.run([REVISIONS], "readonly", (transaction) => readRevision(transaction, key));

  it("has the revision of a confirmed write, and the message that comes back changes nothing", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    const commit = await browser.commit(storeDraft("k", '"mine"'));
    await browser.settle(commit, { ...CONFIRMED, state: "confirmed", stored: { key: "k", revision: 5 } });
    expect(await revisionOf(browser, "k")).toEqual({ revision: 5, writeId: commit.row.writeId });
    expect(await browser.committer.commit([pulled("k", 5)])).toEqual([]);
    expect(await browser.committer.commit([pulled("k", 6)])).toHaveLength(1);
  });

  it("has that of a pulled delete, so that an older message does not bring the entry back", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    expect(await browser.committer.commit([pulledDelete("k", 9)])).toMatchObject([{ replaced: undefined }]);
    expect(await revisionOf(browser, "k")).toEqual({ revision: 9, writeId: undefined });
    expect(await browser.committer.commit([pulled("k", 8), pulled("new", 8)])).toHaveLength(1);
    expect(Object.keys(await allRows(browser.database))).toEqual(["new"]);
    expect(await browser.committer.commit([pulled("k", 10)])).toHaveLength(1);
  });

  it("keeps versions from going back over a pulled delete", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    const commit = await browser.commit(storeDraft("k"));
    await browser.settle(commit, { ...CONFIRMED, state: "confirmed", stored: { key: "k", revision: 1 } });
    await commitOne(browser.committer, pulled("k", 2, { version: 30 }));
    await commitOne(browser.committer, pulledDelete("k", 3, 2));
    expect((await browser.commit(storeDraft("k"))).row.version).toBe(31);
  });

  it("lets no older message replace a write that is confirmed, while its revision is not in the table yet", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    const { row } = await browser.commit(storeDraft("k", '"mine"'));
    const settled = browser.committer.settle(
      row.writeId[0],
      new Map([[row.writeId[1], { state: "confirmed", stored: { key: "k", revision: 12 } }]]),
    );
    expect(await browser.committer.commit([pulled("k", 9)])).toEqual([]);
    await Promise.all([settled, browser.committer.settled()]);
    expect(await browser.committer.commit([pulled("k", 12)])).toEqual([]);
    expect(await browser.committer.commit([pulled("k", 13)])).toHaveLength(1);
  });

  it("lets the message of an own entry that was removed here come back, and none before it", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    await browser.settle(await browser.commit(storeDraft("k")), { ...CONFIRMED, state: "confirmed", stored: { key: "k", revision: 5 } });
    // As an eviction does.
    await browser.database.run([ENTRIES], "readwrite", (transaction) => void transaction.objectStore(ENTRIES).clear());
    expect(await browser.committer.commit([pulled("k", 4)])).toEqual([]);
    expect(await browser.committer.commit([pulled("k", 5)])).toHaveLength(1);
  });

  it("lets no message before an own delete bring the entry back", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    for (const [draft, revision] of [
      [storeDraft("k"), 4],
      [deleteDraft("k"), 5],
    ] as const) {
      await browser.settle(await browser.commit(draft), { ...CONFIRMED, state: "confirmed", stored: { key: "k", revision } });
    }
    expect(await browser.committer.commit([pulled("k", 4)])).toEqual([]);
    expect(await browser.committer.commit([pulled("k", 6)])).toHaveLength(1);
  });

  it("does not confirm a write whose acknowledgement is missing", async () => {
    const browser = setUpCommitter({ pulledTo: () => 0 });
    await browser.settle(await browser.commit(storeDraft("k")), FAILED);
    expect(await browser.committer.commit([pulled("k", 6)])).toEqual([]);
    expect(await revisionOf(browser, "k")).toBeUndefined();
  });
});
