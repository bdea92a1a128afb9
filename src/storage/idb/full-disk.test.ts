import { IDBDatabase, IDBObjectStore } from "fake-indexeddb";
import { expect, it, vi } from "vitest";
import { KeyStoreError } from "../../util/errors.ts";
import { newCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { codeOf } from "../../testing/errors.ts";
import { allRows, openDatabase, useFreshIndexedDB, watchTransactions } from "../../testing/indexeddb.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { UnexplainedAbort } from "./errors.ts";
import { explainFailure } from "./full-disk.ts";
import { META } from "./schema.ts";

useFreshIndexedDB();

/** The space that a write needs. */
const BYTES = 100_000;

const aborted = new KeyStoreError("STORAGE_UNAVAILABLE", "", { cause: new UnexplainedAbort() });

function stubEstimate(estimate: StorageEstimate | undefined): void {
  vi.stubGlobal("navigator", { storage: estimate && { estimate: async () => estimate } });
}

/** The browser aborts the writing transactions of certain tables, without an error. */
function abortWrites(concerns: (tables: readonly string[]) => boolean): void {
  const { transaction: begin } = IDBDatabase.prototype;
  watchTransactions().mockImplementation(function (this: globalThis.IDBDatabase, tables, mode, options) {
    const transaction = begin.call(this, tables, mode, options);
    if (mode === "readwrite" && concerns(typeof tables === "string" ? [tables] : [...tables])) setImmediate(() => transaction.abort());
    return transaction;
  } as typeof begin);
}

it.each([
  ["the browser's estimate leaves no space", { quota: 1_000_000, usage: 999_000 }],
  ["the browser's estimate leaves less space than the write needs", { quota: 1_000_000, usage: 1_000_000 - BYTES }],
  ["the browser has no estimate, but a small write fails as well", undefined],
  ["the browser's estimate is generous, but a small write fails as well", { quota: 1_000_000_000, usage: 0 }],
])("An abort without a reason means a full disk when %s", async (_, estimate) => {
  stubEstimate(estimate);
  const database = openDatabase();
  if (estimate === undefined || estimate.quota > 1_000_000) abortWrites((tables) => tables.includes(META));
  expect(await explainFailure(aborted, database, BYTES, new FakeClock())).toMatchObject({ code: "QUOTA_EXCEEDED", cause: aborted });
});

it.each([
  ["is generous", { quota: 1_000_000_000, usage: 0 }],
  ["is missing", undefined],
])(
  "An abort without a reason stays STORAGE_UNAVAILABLE when a small write succeeds and the browser's estimate %s.",
  async (_, estimate) => {
    stubEstimate(estimate);
    expect(await explainFailure(aborted, openDatabase(), BYTES, new FakeClock())).toBe(aborted);
  },
);

it("An abort without a reason means a full disk when a small write exceeds the quota", async () => {
  stubEstimate(undefined);
  const database = openDatabase();
  await allRows(database);
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  expect(await explainFailure(aborted, database, BYTES, new FakeClock())).toMatchObject({ code: "QUOTA_EXCEEDED" });
});

it("A write waits at most 2 s for the browser's estimate", async () => {
  const clock = new FakeClock();
  vi.stubGlobal("navigator", { storage: { estimate: () => new Promise(() => undefined) } });
  const explained = explainFailure(aborted, openDatabase(), BYTES, clock);
  await clock.advance(2_000);
  expect(await explained).toBe(aborted);
});

it("A write that the browser aborts without a reason does not fail the other calls of its group", async () => {
  stubEstimate({ quota: 1_000_000_000, usage: 0 });
  const database = openDatabase();
  const committer = newCommitter(database);
  await allRows(database);
  const { add } = IDBObjectStore.prototype;
  vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(function (this: globalThis.IDBObjectStore, value: { key?: string }, key) {
    const { transaction } = this;
    if (value.key === "bad") setImmediate(() => transaction.abort());
    return add.call(this, value, key);
  } as typeof add);
  const outcomes = await Promise.allSettled(["good", "bad", "good2"].map((key) => committer.commit([storeDraft(key)])));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

it("The small write that tests for a full disk changes nothing", async () => {
  stubEstimate(undefined);
  const database = openDatabase();
  const contents = (): Promise<unknown> =>
    database.run(
      [META],
      "readonly",
      (transaction) =>
        new Promise((resolve) => {
          transaction.objectStore(META).getAll().onsuccess = ({ target }) => resolve((target as IDBRequest).result);
        }),
    );
  const before = await contents();
  await explainFailure(aborted, database, BYTES, new FakeClock());
  expect(await contents()).toEqual(before);
});

it("Any other error stays as it is, whatever the estimate says", async () => {
  stubEstimate({ quota: 1, usage: 1 });
  const lost = new KeyStoreError("STORAGE_UNAVAILABLE", "", { cause: new DOMException("lost", "UnknownError") });
  expect(await explainFailure(lost, openDatabase(), BYTES, new FakeClock())).toBe(lost);
});

it.each([
  ["evicts nothing and rejects STORAGE_UNAVAILABLE while the disk has space", 1_000_000_000, "STORAGE_UNAVAILABLE", 0],
  ["makes room and rejects QUOTA_EXCEEDED when the disk is full", 1_000, "QUOTA_EXCEEDED", 1],
])("A write that the browser aborts without a reason %s", async (_, quota, code, roomsMade) => {
  stubEstimate({ quota, usage: 0 });
  const database = openDatabase();
  const makeRoom = vi.fn<() => Promise<boolean>>(async () => true);
  const committer = newCommitter(database, { makeRoom });
  await allRows(database);
  abortWrites((tables) => !tables.includes(META));
  expect(await codeOf(() => committer.commit([storeDraft("a")]))).toBe(code);
  expect(makeRoom).toHaveBeenCalledTimes(roomsMade);
});
