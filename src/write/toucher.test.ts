import { describe, expect, it, vi } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { fillStorage, openDatabase, putRows } from "../testing/indexeddb.ts";
import { DATABASE, event, usePage } from "../testing/stores.ts";

const page = usePage();

describe("touch", () => {
  it("ends or extends an entry in the memory of every store of the page and of every other tab", async () => {
    const stores = [page.openTogether(), page.openTogether(), page.open()];
    const [store] = stores;
    await store?.bulkStore({ shorter: 1, longer: 1 }, { ttl: 60 });
    for (const one of stores) await one.bulkRetrieve(["shorter", "longer"]);
    expect(await Promise.all([store?.touch("shorter", 1), store?.touch("longer", 3_600)])).toEqual([true, true]);
    await FakeChannel.delivered();
    page.clock.wallTime += 61_000;
    for (const one of stores) expect(await one.bulkRetrieve(["shorter", "longer"])).toEqual(new Map([["longer", 1]]));
  });

  it("keeps an entry from the sweep of another tab", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1, { ttl: 10 });
    page.clock.wallTime += 9_000;
    expect(await one.touch("k")).toBe(true);
    page.clock.wallTime += 2_000;
    expect(await other.sweep()).toBe(0);
    expect(await other.retrieve("k")).toBe(1);
  });

  it("of an entry whose message is on its way leaves the write as it is: it is confirmed once", async () => {
    const store = page.open();
    page.nats.hold();
    const storing = store.store("k", 1, { ttl: 10 });
    await page.nats.received(1);
    expect(await store.touch("k", 60)).toBe(true);
    expect(await store.getMetadata("k")).toMatchObject({ pending: true, ttl: 60, version: 1 });
    page.nats.answer();
    expect(await storing).toBe(true);
    expect(await store.pendingWrites()).toEqual([]);
    expect(page.nats.of("k")).toHaveLength(1);
  });

  it("writes nothing for an entry without an expiry, and emits no change", async () => {
    const store = page.open();
    await store.store("k", 1);
    await store.flush();
    const post = vi.spyOn(BroadcastChannel.prototype, "postMessage");
    expect(await store.touch("k")).toBe(true);
    expect(await store.touch("k", null)).toBe(true);
    expect(post).not.toHaveBeenCalled();
  });

  it("rejects CHECKSUM_MISMATCH with a `corrupt` event for a row that is damaged so that it has no metadata", async () => {
    const store = page.open();
    await store.flush();
    await putRows(openDatabase(DATABASE), { k: { keys: "k" } });
    const corrupt = event(store, "corrupt");
    expect(await errorOf(() => store.touch("k", 60))).toMatchObject({ code: "CHECKSUM_MISMATCH", key: "k" });
    expect(await corrupt).toMatchObject({ key: "k" });
    expect(await store.store("k", 2)).toBe(true);
  });

  it("is a use: the entry is not the next one that is evicted", async () => {
    const store = page.open({ maxEntries: 2, cacheSize: 0 });
    for (const key of ["a", "b"]) {
      await store.store(key, 1, { ttl: 60 });
      page.clock.wallTime += 1_000;
    }
    expect(await store.touch("a")).toBe(true);
    page.clock.wallTime += 1_000;
    await store.store("c", 1);
    await page.evicted();
    expect(await store.listKeys()).toEqual(["a", "c"]);
  });

  it("rejects QUOTA_EXCEEDED on a full disk, and leaves the expiry as it was", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    const restore = fillStorage();
    expect(await errorOf(() => store.touch("k", 120))).toMatchObject({ code: "QUOTA_EXCEEDED", key: "k" });
    restore();
    expect(await store.getMetadata("k")).toMatchObject({ ttl: 60 });
  });
});
