import { IDBDatabase } from "fake-indexeddb";
import { expect, it, vi } from "vitest";
import { KeyStoreError } from "../errors.ts";
import { newCommitter } from "../testing/committer.ts";
import { storeDraft } from "../testing/drafts.ts";
import { codeOf } from "../testing/errors.ts";
import { allRows, openDatabase, useFreshIndexedDB, watchTransactions } from "../testing/indexeddb.ts";
import { NO_REASON } from "./database.ts";
import { explainFailure } from "./full-disk.ts";
import { META } from "./schema.ts";

useFreshIndexedDB();

const aborted = new KeyStoreError("STORAGE_UNAVAILABLE", "", { cause: NO_REASON });

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
  ["the browser has no estimate, but a small write fails as well", undefined],
  ["the browser's estimate is generous, but a small write fails as well", { quota: 1_000_000_000, usage: 0 }],
])("An abort without a reason means a full disk when %s.", async (_, estimate) => {
  stubEstimate(estimate);
  const database = openDatabase();
  if (estimate?.usage !== 999_000) abortWrites((tables) => tables.includes(META));
  expect(await explainFailure(aborted, database)).toMatchObject({ code: "QUOTA_EXCEEDED", cause: aborted });
});

it.each([["is generous", { quota: 1_000_000_000, usage: 0 }], ["is missing", undefined]])(
  "An abort without a reason stays STORAGE_UNAVAILABLE when a small write succeeds and the browser's estimate %s.",
  async (_, estimate) => {
    stubEstimate(estimate);
    expect(await explainFailure(aborted, openDatabase())).toBe(aborted);
  },
);

it("The small write that looks for evidence changes nothing.", async () => {
  stubEstimate(undefined);
  const database = openDatabase();
  const contents = (): Promise<unknown> => database.run([META], "readonly", (transaction) => new Promise((resolve) => {
    transaction.objectStore(META).getAll().onsuccess = ({ target }) => resolve((target as IDBRequest).result);
  }));
  const before = await contents();
  await explainFailure(aborted, database);
  expect(await contents()).toEqual(before);
});

it("Any other error stays as it is, without a look at the disk.", async () => {
  stubEstimate({ quota: 1, usage: 1 });
  const lost = new KeyStoreError("STORAGE_UNAVAILABLE", "", { cause: new DOMException("lost", "UnknownError") });
  expect(await explainFailure(lost, openDatabase())).toBe(lost);
});

it.each([
  ["evicts nothing and rejects STORAGE_UNAVAILABLE while the disk has space", 1_000_000_000, "STORAGE_UNAVAILABLE", 0],
  ["makes room and rejects QUOTA_EXCEEDED when the disk is full", 1_000, "QUOTA_EXCEEDED", 1],
])("A write that the browser aborts without a reason %s.", async (_, quota, code, rooms) => {
  stubEstimate({ quota, usage: 0 });
  const database = openDatabase();
  const makeRoom = vi.fn<() => Promise<boolean>>(async () => true);
  const committer = newCommitter(database, { makeRoom });
  await allRows(database);
  abortWrites((tables) => !tables.includes(META));
  expect(await codeOf(() => committer.commit([storeDraft("a")]))).toBe(code);
  expect(makeRoom).toHaveBeenCalledTimes(rooms);
});
