import { IDBIndex as FakeIndex } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import { codeOf } from "../testing/errors.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

describe("The limits of a store", () => {
  it("do not count an expired entry that a read has removed", async () => {
    const store = page.open({ maxEntries: 10, cacheSize: 0 });
    await store.bulkStore({ k0: 0, k1: 1 });
    await store.bulkStore(Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`t${n}`, n])), { ttl: 1 });
    page.clock.wallTime += 2_000;
    for (let n = 0; n < 8; n++) expect(await store.retrieve(`t${n}`)).toBeUndefined();
    await store.bulkStore({ k2: 2, k3: 3 });
    await store.close();
    expect(await page.open().listKeys()).toEqual(["k0", "k1", "k2", "k3"]);
  });

  it("are enforced exactly, by one tab at a time", async () => {
    const tabs = [page.open({ maxEntries: 10 }), page.open({ maxEntries: 10 }), page.open({ maxEntries: 10 })];
    for (let n = 0; n < 30; n++) {
      await tabs[n % 3]?.store(`k${String(n).padStart(2, "0")}`, n);
      await page.clock.advance(1);
      await tabs[n % 3]?.flush();
      await page.evicted();
      expect(await tabs[0]?.listKeys()).toHaveLength(Math.min(10, n + 1));
    }
  });

  it("evict rejected writes once they are discarded", async () => {
    page.nats.denies = () => true;
    const store = page.open({ maxEntries: 1 });
    expect(await codeOf(() => store.store("a", 1))).toBe("PUBLISH_REJECTED");
    expect(await codeOf(() => store.store("b", 1))).toBe("PUBLISH_REJECTED");
    expect(await store.discardRejected()).toBe(2);
    await page.evicted();
    expect(await store.listKeys()).toEqual(["b"]);
  });

  it("evict rejected writes once another store of the page, with other limits, has discarded them", async () => {
    page.nats.denies = () => true;
    const store = page.openTogether({ maxEntries: 1 });
    for (const key of ["a", "b"]) expect(await codeOf(() => store.store(key, 1))).toBe("PUBLISH_REJECTED");
    await page.evicted();
    expect(await page.openTogether({ maxEntries: 10 }).discardRejected()).toBe(2);
    await page.evicted();
    expect(await store.listKeys()).toEqual(["b"]);
  });

  it("do not make every write read the index while nothing can be evicted", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ maxEntries: 10 });
    await store.bulkStore(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`k${n}`, n])));
    await store.store("one", 1);
    await page.evicted();
    const looks = vi.spyOn(FakeIndex.prototype, "openKeyCursor");
    await store.store("two", 2);
    await page.evicted();
    expect(looks).not.toHaveBeenCalled();
  });
});
