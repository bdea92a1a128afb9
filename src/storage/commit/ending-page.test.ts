import { IDBObjectStore, IDBTransaction } from "fake-indexeddb";
import { expect, it, vi } from "vitest";
import { setUpCommitter } from "../../testing/committer.ts";
import { storeDraft } from "../../testing/drafts.ts";
import { openDatabase, putRows, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";

useFreshIndexedDB();

/** Firefox commits a transaction whose `add` fails after `commit()`. */
it("A page that ends calls `commit()` only when every `add` of a key that seems new has succeeded", async () => {
  const { commit } = setUpCommitter({ isPageEnding: () => true });
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
