import { expect, it } from "vitest";
import { FakeChannel } from "../testing/fake-channel.ts";
import { openDatabase, resultOf } from "../testing/indexeddb.ts";
import { STALE } from "../storage/idb/schema.ts";
import { DATABASE, usePage } from "../testing/stores.ts";

const page = usePage();

const marks = (): Promise<IDBValidKey[]> =>
  openDatabase(DATABASE).run([STALE], "readonly", (transaction) => resultOf(transaction.objectStore(STALE).getAllKeys()));

it("A sweep removes the stale marks of keys that are gone, some of the marks each time", async () => {
  const store = page.open();
  await store.bulkStore(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, n])), { ttl: 1 });
  await store.store("kept", 1);
  await store.flush();
  expect(await store.invalidate({ pattern: "*" })).toBe(301);
  page.clock.wallTime += 2_000;
  expect(await store.sweep()).toBe(300);
  expect(await marks()).toHaveLength(101);
  expect(await store.sweep()).toBe(0);
  expect(await marks()).toEqual(["kept"]);
  await store.clearCache();
  await store.sweep();
  expect(await marks()).toEqual([]);
});

it("An invalidation empties the memory of its entries in every store of the page and in every tab, and counts no entry as gone", async () => {
  const stores = [page.openTogether(), page.openTogether(), page.open()];
  const [store] = stores;
  await store?.bulkStore({ stale: 1, fresh: 2 });
  for (const one of stores) await one.bulkRetrieve(["stale", "fresh"]);
  await store?.invalidate({ pattern: "stale" });
  await FakeChannel.delivered();
  for (const one of stores) {
    expect(one.getCacheStats().keys).toEqual(["fresh"]);
    expect(await one.retrieve("stale")).toBe(1);
  }
});

it("A restart of the database under the running page ends all staleness", async () => {
  const store = page.open();
  await store.store("k", 1);
  await store.invalidate({ pattern: "k" });
  await resultOf(indexedDB.deleteDatabase(DATABASE));
  await store.store("k", 1);
  expect(await store.getMetadata("k")).toMatchObject({ stale: false });
});
