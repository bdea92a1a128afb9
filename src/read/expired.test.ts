import { describe, expect, it } from "vitest";
import { loseStorage } from "../testing/indexeddb.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

describe("An entry that has expired", () => {
  it("is absent for every operation from that moment, in memory and in IndexedDB", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60, tags: ["t"] });
    const { expiresAt } = (await store.getMetadata("k")) ?? {};
    expect(expiresAt).toBeInstanceOf(Date);
    page.clock.wallTime = Number(expiresAt);
    for (const reader of [store, page.open()]) {
      expect(await reader.retrieve("k")).toBeUndefined();
      expect(await reader.exists("k")).toBe(false);
      expect(await reader.getMetadata("k")).toBeUndefined();
      expect(await reader.listKeys()).toEqual([]);
      expect(await reader.listKeys("*", { tag: "t" })).toEqual([]);
      expect(await reader.bulkRetrieve(["k"])).toEqual(new Map());
    }
    expect(await store.delete("k")).toBe(false);
  });

  it("stays absent when the clock jumps back after a read found it absent", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    page.clock.wallTime += 61_000;
    expect(await store.retrieve("k")).toBeUndefined();
    await store.sweep();
    page.clock.wallTime -= 61_000;
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it.each([
    ["before its row is removed", () => () => undefined],
    ["after its row could not be removed", loseStorage],
  ])("is not revived by a clock that jumps back %s", async (_, lose) => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    page.clock.wallTime += 61_000;
    expect(await store.retrieve("k")).toBeUndefined();
    page.clock.wallTime -= 61_000;
    const find = lose();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it("has reached its ttl, also while the clock shows a time before 1970", async () => {
    page.clock.wallTime = -1_000_000;
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    expect(await store.retrieve("k", { useCache: false })).toBe(1);
    expect(await store.listKeys()).toEqual(["k"]);
    expect(await store.getMetadata("k")).toMatchObject({ ttl: 60 });
    page.clock.wallTime = -940_000;
    expect(await store.retrieve("k")).toBeUndefined();
    expect(await store.listKeys()).toEqual([]);
  });

  it("does not hide a later entry of another tab, even without a message", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    page.clock.wallTime += 61_000;
    expect(await store.retrieve("k")).toBeUndefined();
    const find = loseStorage();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    // In the back/forward cache nothing is heard.
    page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    await page.open().store("k", 2);
    page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect(await store.retrieve("k")).toBe(2);
    expect(await store.listKeys()).toEqual(["k"]);
  });
});
