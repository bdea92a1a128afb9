import { describe, expect, it } from "vitest";
import { asRow, LONG_AGO, type EntryRow } from "../../model/row.ts";
import { commitOne, CONFIRMED, newCommitter, setUpCommitter } from "../../testing/committer.ts";
import { deleteDraft, storeDraft } from "../../testing/drafts.ts";
import { change } from "../../testing/entries.ts";
import { allRows, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { planOne } from "../../testing/planning.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { imported, type Draft } from "./draft.ts";
import type { Slot } from "./plan.ts";

useFreshIndexedDB();

/** The draft of a row of another database. */
function importDraft(key: string, version: number, given: Partial<EntryRow> = {}): Draft {
  return { ...storeDraft(key, given.payload as string | undefined, { updatedAt: NOW, ...given }), policy: imported(version) };
}

function plan(draft: Draft, slot: Partial<Slot>, floor = 0) {
  return planOne(draft, slot, { floor, pulledTo: undefined });
}

describe("A row with a given version", () => {
  const present = entryRow({ version: 5, updatedAt: NOW, expiresAt: NOW + 1 });

  it.each<[title: string, draft: Draft, row: Slot["row"], isWritten: boolean]>([
    ["of an absent key", importDraft("k", 5), undefined, true],
    ["above the present version", importDraft("k", 6, { updatedAt: NOW - 9 }), present, true],
    ["below it", importDraft("k", 4, { updatedAt: NOW + 9 }), present, false],
    ["that is the same, updated later", importDraft("k", 5, { updatedAt: NOW + 1 }), present, true],
    ["that is the same, updated earlier", importDraft("k", 5, { updatedAt: NOW - 1 }), present, false],
    ["that is the same entry", importDraft("k", 5), present, false],
    [
      "that is the same entry, compressed",
      importDraft("k", 5, { encoding: "gzip", payload: "c", checksum: present.checksum }),
      present,
      false,
    ],
    ["that is a sound copy of a damaged payload", importDraft("k", 5), { ...present, payload: '"valve"' }, true],
    ["below that of an expired entry", importDraft("k", 4), { ...present, expiresAt: NOW }, true],
    ["below that of a tombstone", importDraft("k", 4), tombstone(5), true],
  ])("%s", (_, draft, row, isWritten) => {
    expect(plan(draft, { row }) !== undefined).toBe(isWritten);
    // The message of the local write would be lost.
    if (row !== undefined) expect(plan(draft, { row, unconfirmed: true })).toBeUndefined();
  });

  it("compares the bytes of a payload", () => {
    const bytes = new Uint8Array([1, 2]);
    const sound = { payload: bytes, checksum: "c", format: "binary" } as const;
    for (const payload of [new Uint8Array([1, 2]), new Uint8Array([1, 3]), new Uint8Array(3)]) {
      const isSame = payload.length === 2 && payload[1] === 2;
      expect(plan(importDraft("k", 5, sound), { row: { ...present, ...sound, payload } }) === undefined).toBe(isSame);
    }
  });

  it("has no outbox record, and remembers a greater version that its key may have had", () => {
    expect(plan(importDraft("k", 5), {})).toMatchObject({ state: undefined, row: { version: 5 } });
    expect(plan(importDraft("k", 5), {})?.row).not.toHaveProperty("floor");
    expect(plan(importDraft("k", 5), {}, 5)?.row).not.toHaveProperty("floor");
    expect(plan(importDraft("k", 5), {}, 7)?.row).toMatchObject({ version: 5, floor: 7 });
    expect(plan(importDraft("k", 5), { row: entryRow({ version: 9, expiresAt: LONG_AGO }) })?.row).toMatchObject({ version: 5, floor: 9 });
    expect(plan(importDraft("k", 5), { row: entryRow({ version: 4, floor: 9 }) })?.row).toMatchObject({ version: 5, floor: 9 });
    expect(plan(importDraft("k", 5), { row: present })).toBeUndefined();
  });
});

it("A write that replaces a row which is damaged so that it has no version continues above the version floor", () => {
  const damaged = asRow({ keys: "k" }, "k");
  expect(plan(storeDraft("k"), { row: damaged }, 7)?.row).toMatchObject({ version: 8 });
});

describe("Versions of an imported entry's key", () => {
  it("continue from its own", async () => {
    const { commit } = setUpCommitter();
    await commit(importDraft("k", 5));
    expect((await commit(storeDraft("k"))).row.version).toBe(6);
  });

  it("continue above versions that the key had before it was deleted", async () => {
    const { commit, settle, database } = setUpCommitter();
    await putRows(database, { k: entryRow({ version: 6 }) });
    await settle(await commit(deleteDraft("k")), CONFIRMED);
    expect((await commit(importDraft("k", 3))).row.version).toBe(3);
    const stored = await commit(storeDraft("k"));
    expect(stored.row).toMatchObject({ version: 8 });
    expect(stored.row).not.toHaveProperty("floor");
    expect((await commit(storeDraft("k"))).row.version).toBe(9);
  });

  it("continue above that of an expired entry that an import has replaced, though the import is removed again", async () => {
    const { commit, database } = setUpCommitter();
    const other = newCommitter(database, { instanceId: "other" });
    await putRows(database, { k: entryRow({ version: 9, expiresAt: LONG_AGO }) });
    await commit(storeDraft("a"));
    await commit(importDraft("k", 3));
    expect((await allRows(database))["k"]).toMatchObject({ version: 3, floor: 9 });
    await change(database, new Map([["k", undefined]]));
    expect((await commit(storeDraft("k"))).row.version).toBe(10);
    expect((await commitOne(other, storeDraft("b"))).row.version).toBe(10);
  });

  it("are the greatest of one call's rows of the key, in any order", async () => {
    const { committer, database } = setUpCommitter();
    const commits = await committer.commit([2, 5, 3].map((version) => importDraft("k", version)));
    expect(commits.map(({ row }) => row.version)).toEqual([2, 5]);
    expect((await allRows(database))["k"]).toMatchObject({ version: 5 });
  });
});

it("An import after a store of the same transaction does not replace it, and a store after an import does", async () => {
  const { committer, groups } = setUpCommitter();
  const calls = [[storeDraft("a")], [importDraft("a", 9), importDraft("b", 9)], [storeDraft("b")]];
  const results = await Promise.all(calls.map((drafts) => committer.commit(drafts)));
  expect(results.map((commits) => commits.map(({ draft, row, state }) => [draft.key, row.version, state]))).toEqual([
    [["a", 1, "sending"]],
    [["b", 9, undefined]],
    [["b", 10, "sending"]],
  ]);
  expect(groups).toHaveLength(1);
});
