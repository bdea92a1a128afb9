import { IDBIndex, IDBObjectStore, IDBTransaction } from "fake-indexeddb";
import { expect, it, vi } from "vitest";
import { setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { allRows, openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";

useFreshIndexedDB();

/** Firefox commits a transaction whose `add` fails after `commit()`. */
it("A page that ends calls `commit()` only when every `add` of a key that seems new has succeeded", async () => {
  let isPageEnding = false;
  const { commit } = setUpCommitter({ isPageEnding: () => isPageEnding });
  // From then on, the version floor is known.
  await commit(storeDraft("first"));
  isPageEnding = true;
  const adds: IDBRequest[] = [];
  const unfinished: number[] = [];
  const { add } = IDBObjectStore.prototype;
  vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(function (this: globalThis.IDBObjectStore, ...given) {
    const request = add.apply(this, given);
    adds.push(request);
    return request;
  });
  const { commit: end } = IDBTransaction.prototype;
  vi.spyOn(IDBTransaction.prototype, "commit").mockImplementation(function (this: globalThis.IDBTransaction) {
    unfinished.push(adds.filter(({ readyState }) => readyState === "pending").length);
    end.call(this);
  });
  await commit(storeDraft("new"));
  await putRows(openDatabase(), { other: entryRow({ version: 6 }) });
  expect((await commit(storeDraft("other"))).row.version).toBe(7);
  await commit(storeDraft("newer"));
  expect(adds.length).toBeGreaterThan(1);
  expect(unfinished.every((count) => count === 0)).toBe(true);
});

/** It may not live to receive the results of two requests, one after another. */
it("A page that ends reads the version floor and the rows of new keys at the same time, and then commits", async () => {
  const { commit, database } = setUpCommitter({ isPageEnding: () => true });
  await allRows(database);
  const requests: IDBRequest[] = [];
  let finishedBefore = 0;
  for (const prototype of [IDBObjectStore.prototype, IDBIndex.prototype]) {
    const { get } = prototype;
    vi.spyOn(prototype, "get").mockImplementation(function (this: never, key) {
      finishedBefore += requests.filter(({ readyState }) => readyState === "done").length;
      const request = get.call(this, key);
      requests.push(request);
      return request;
    });
  }
  expect((await commit(storeDraft("new"))).row.version).toBe(1);
  expect(requests).toHaveLength(3);
  expect(finishedBefore).toBe(0);
});
