import { describe, expect, it } from "vitest";
import { deleteDraft, refusal, storeDraft } from "../../testing/drafts.ts";
import { entryRow, NOW, tombstone } from "../../testing/rows.ts";
import { PUBLISHED, type CommitPolicy, type Draft } from "./draft.ts";
import { commitsOf, durabilityOf, planGroup, recordsOf, type PlanContext, type Slot } from "./plan.ts";

const UNPUBLISHED: CommitPolicy = { version: "next", isPublished: false, durability: "relaxed" };

function context(mayPublish = true): PlanContext {
  let last = 0;
  return {
    instanceId: "me",
    generation: "g",
    mayPublish,
    durability: "relaxed",
    floor: 0,
    pulledTo: undefined,
    nextSequence: () => ++last,
  };
}

const withPolicy = (draft: Draft, policy: CommitPolicy): Draft => ({ ...draft, policy });
const slot = (given: Partial<Slot> = {}): Slot => ({
  row: entryRow({ version: 3 }),
  unconfirmed: false,
  mustWait: false,
  waitsFor: undefined,
  ...given,
});

describe("The version of a planned write", () => {
  it("is the next one after the replaced row, and counts within a group", () => {
    const results = planGroup([[storeDraft("a"), storeDraft("a")], [deleteDraft("b")]], new Map([["a", slot()]]), NOW, context());
    expect(commitsOf(results).map(({ draft, row }) => `${draft.key}@${row.version}`)).toEqual(["a@4", "a@5", "b@1"]);
  });

  it("is above the version floor for a key without a row, also of a delete, and counts on within a group", () => {
    const calls = [[storeDraft("new"), deleteDraft("new"), storeDraft("new")], [deleteDraft("absent")], [storeDraft("a")]];
    const results = planGroup(calls, new Map([["a", slot()]]), NOW, { ...context(), floor: 10 });
    expect(commitsOf(results).map(({ draft, row }) => `${draft.key}@${row.version}`)).toEqual([
      "new@11",
      "new@12",
      "new@13",
      "absent@11",
      "a@4",
    ]);
  });

  it.each([
    ["expired", entryRow({ version: 3, expiresAt: NOW })],
    ["a tombstone", tombstone(3)],
  ])("is the next one after a row that is %s, confirmed or not", (_, row) => {
    for (const unconfirmed of [false, true]) {
      const [commit] = commitsOf(planGroup([[storeDraft("a")]], new Map([["a", slot({ row, unconfirmed })]]), NOW, context()));
      expect(commit).toMatchObject({ row: { version: 4 }, replaced: undefined });
    }
  });

  it("is above the version floor for a damaged row that has lost its version", () => {
    const slots = new Map([["a", slot({ row: entryRow({ version: 0 }) })]]);
    expect(commitsOf(planGroup([[storeDraft("a")]], slots, NOW, { ...context(), floor: 10 }))[0]?.row.version).toBe(11);
  });

  it("is the given one if its policy has one, and the next write continues from it", () => {
    const given = withPolicy(storeDraft("a"), { ...UNPUBLISHED, version: 17 });
    const results = planGroup([[given, storeDraft("a")]], new Map([["a", slot()]]), NOW, context());
    expect(commitsOf(results).map(({ row, state }) => ({ version: row.version, state }))).toEqual([
      { version: 17, state: undefined },
      { version: 18, state: "sending" },
    ]);
  });
});

describe("The state of a planned write", () => {
  it("is undefined for a write that is not published, which gets no outbox record", () => {
    const commits = commitsOf(planGroup([[withPolicy(storeDraft("a"), UNPUBLISHED), storeDraft("b")]], new Map(), NOW, context()));
    expect(commits.map(({ state }) => state)).toEqual([undefined, "sending"]);
    expect(recordsOf(commits).flatMap(({ writes }) => writes.map(({ key }) => key))).toEqual(["b"]);
    expect(new Set(commits.map(({ row }) => row.writeId[1])).size).toBe(2);
  });

  it("is `queued` for a write that is not published but replaces an unconfirmed row, whose message would be lost", () => {
    const slots = new Map([["a", slot({ unconfirmed: true, mustWait: true, waitsFor: ["other", 1] })]]);
    const [commit] = commitsOf(planGroup([[withPolicy(storeDraft("a"), UNPUBLISHED)]], slots, NOW, context()));
    expect(commit).toMatchObject({ state: "queued", waitsFor: ["other", 1], row: { version: 4 } });
  });

  it("is queued while nothing can be published", () => {
    const commits = commitsOf(planGroup([[storeDraft("a")]], new Map(), NOW, context(false)));
    expect(recordsOf(commits)).toEqual([
      { state: "queued", attempts: 0, writes: [{ sequence: 1, key: "a", version: 1, operation: "store" }] },
    ]);
  });
});

describe("The outbox records of a group", () => {
  it("have at most 512 writes each, in the order of their numbers", () => {
    const drafts = Array.from({ length: 1_100 }, (_, n) => storeDraft(`k${n}`));
    const records = recordsOf(commitsOf(planGroup([drafts], new Map(), NOW, context())));
    expect(records.map(({ state, writes }) => [state, writes[0]?.sequence, writes.length])).toEqual([
      ["sending", 1, 512],
      ["sending", 513, 512],
      ["sending", 1_025, 76],
    ]);
  });
});

describe("A call in a plan", () => {
  it("that refuses changes neither the slots nor the other calls", () => {
    const slots = new Map([["a", slot()]]);
    const [refused, planned] = planGroup([[storeDraft("a"), refusal("b")], [storeDraft("a")]], slots, NOW, context());
    expect(refused).toEqual(new Error("refused"));
    expect(planned).toMatchObject([{ row: { version: 4 }, replaced: { version: 3 } }]);
  });
});

describe("The durability of a group", () => {
  it.each([
    { policy: PUBLISHED, mayPublish: true, expected: "relaxed" },
    { policy: PUBLISHED, mayPublish: false, expected: "strict" },
    { policy: UNPUBLISHED, mayPublish: false, expected: "relaxed" },
    { policy: { ...UNPUBLISHED, durability: "strict" as const }, mayPublish: true, expected: "strict" },
  ])("is $expected for $policy while mayPublish is $mayPublish", ({ policy, mayPublish, expected }) => {
    expect(durabilityOf([withPolicy(storeDraft("a"), policy), withPolicy(storeDraft("b"), UNPUBLISHED)], mayPublish)).toBe(expected);
  });
});
