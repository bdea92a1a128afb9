import { describe, expect, it, vi } from "vitest";
import { loseStorage } from "../testing/indexeddb.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

describe("an entry that has expired", () => {
  it("is absent for every operation from that moment, in memory and out of it", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60, tags: ["t"] });
    const { expiresAt } = (await store.getMetadata("k")) ?? {};
    expect(expiresAt).toBeInstanceOf(Date);
    const { now } = Date;
    Date.now = () => Number(expiresAt);
    try {
      for (const reader of [store, page.open()]) {
        expect(await reader.retrieve("k")).toBeUndefined();
        expect(await reader.exists("k")).toBe(false);
        expect(await reader.getMetadata("k")).toBeUndefined();
        expect(await reader.listKeys()).toEqual([]);
        expect(await reader.listKeys("*", { tag: "t" })).toEqual([]);
        expect(await reader.bulkRetrieve(["k"])).toEqual(new Map());
      }
      expect(await store.delete("k")).toBe(false);
    } finally {
      Date.now = now;
    }
  });

  it("is not revived by a clock that jumps back after it was read as absent", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    const { now } = Date;
    Date.now = () => now() + 61_000;
    try {
      expect(await store.retrieve("k")).toBeUndefined();
      await store.sweep();
    } finally {
      Date.now = now;
    }
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it.each([
    ["before its row is removed", () => () => undefined],
    ["after its row could not be removed", loseStorage],
  ])("is not revived by a clock that jumps back %s", async (_, lose) => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    expect(await store.retrieve("k")).toBeUndefined();
    clock.mockRestore();
    const find = lose();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    expect(await store.retrieve("k")).toBeUndefined();
  });

  it("is a matter of ttl also where the clock says that it is before 1970", async () => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(-1_000_000);
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    expect([await store.retrieve("k", { useCache: false }), await store.listKeys(), (await store.getMetadata("k"))?.ttl]).toEqual([
      1,
      ["k"],
      60,
    ]);
    clock.mockReturnValue(-940_000);
    expect([await store.retrieve("k"), await store.listKeys()]).toEqual([undefined, []]);
  });

  it("does not hide what another tab has stored under its key since, though nobody told of it", async () => {
    const store = page.open();
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    expect(await store.retrieve("k")).toBeUndefined();
    const find = loseStorage();
    // Tries to remove the row.
    await store.pendingWrites().catch(() => undefined);
    find();
    // In the back/forward cache nothing is heard.
    page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    await page.open().store("k", 2);
    page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect([await store.retrieve("k"), await store.listKeys()]).toEqual([2, ["k"]]);
    clock.mockRestore();
  });
});
