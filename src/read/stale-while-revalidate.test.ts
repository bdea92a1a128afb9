import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { DATABASE, event, usePage } from "../testing/stores.ts";

const page = usePage();

const LOCK = `${DATABASE}/load/k`;
const OPTIONS = { ttl: 60, staleWhileRevalidate: 300, tags: ["t"] };

/** Resolves when the key has a version. */
async function stored(store: NASKeyStore, version: number): Promise<void> {
  while (((await store.getMetadata("k"))?.version ?? 0) < version) await event(store, "published");
}

/** A store whose value of "k" has expired. */
async function openExpired(options: object = OPTIONS, afterSeconds = 60): Promise<NASKeyStore> {
  const store = page.open();
  await store.retrieveOrStore("k", () => "old", options);
  await store.flush();
  page.clock.wallTime += afterSeconds * 1000;
  return store;
}

describe("staleWhileRevalidate", () => {
  it("returns the expired value at once, and loads once in the background", async () => {
    const store = await openExpired();
    const load = vi.fn<() => unknown>(async () => "new");
    const calls = [1, 2, 3].map(() => store.retrieveOrStore("k", load, OPTIONS));
    expect(await Promise.all(calls)).toEqual(["old", "old", "old"]);
    await stored(store, 2);
    expect(await store.retrieveOrStore("k", load, OPTIONS)).toBe("new");
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("refreshes once in all tabs", async () => {
    const tabs = [await openExpired(), page.open(), page.open()];
    const load = vi.fn<() => unknown>(async () => "new");
    expect(await Promise.all(tabs.map((tab) => tab.retrieveOrStore("k", load, OPTIONS)))).toEqual(["old", "old", "old"]);
    await page.locks.free(LOCK);
    expect(load).toHaveBeenCalledTimes(1);
    for (const tab of tabs) expect(await tab.retrieve("k")).toBe("new");
  });

  it("leaves the entry absent for every other operation, also after a sweep", async () => {
    const store = await openExpired();
    for (const reader of [store, page.open()]) {
      expect(await reader.retrieve("k")).toBeUndefined();
      expect(await reader.exists("k")).toBe(false);
      expect(await reader.getMetadata("k")).toBeUndefined();
      expect(await reader.listKeys()).toEqual([]);
      expect(await reader.listKeys("*", { tag: "t" })).toEqual([]);
      expect(await reader.bulkRetrieve(["k"])).toEqual(new Map());
      expect((await reader.getStorageStats()).entries).toBe(0);
      expect(await reader.sweep()).toBe(0);
    }
    page.clock.wallTime -= 61_000;
    expect(await page.open().retrieve("k")).toBeUndefined();
    page.clock.wallTime += 61_000;
    expect(await page.open().retrieveOrStore("k", () => "new", OPTIONS)).toBe("old");
  });

  it.each([
    ["the window of the call has ended", OPTIONS, 91, { ttl: 60, staleWhileRevalidate: 30 }],
    ["the window of the stored entry has ended", OPTIONS, 360, OPTIONS],
    ["the call gives none", OPTIONS, 60, { ttl: 60 }],
    ["the entry was stored without", { ttl: 60 }, 60, OPTIONS],
  ])("waits for the load when %s", async (_, first, afterSeconds, second) => {
    const store = await openExpired(first, afterSeconds);
    await store.sweep();
    expect(await store.retrieveOrStore("k", () => "new", second)).toBe("new");
  });

  it("counts from the expiry, also when the row was marked as expired before", async () => {
    const store = await openExpired();
    await store.sweep();
    page.clock.wallTime += 29_000;
    expect(await store.retrieveOrStore("k", () => Promise.reject(new Error("no network")), { staleWhileRevalidate: 30 })).toBe("old");
    page.clock.wallTime += 1_001;
    expect(await store.retrieveOrStore("k", () => "new", { staleWhileRevalidate: 30 })).toBe("new");
  });

  it("removes the row once its window has ended", async () => {
    const store = await openExpired();
    expect(await store.sweep()).toBe(0);
    page.clock.wallTime += 300_000;
    expect(await store.sweep()).toBe(1);
  });

  it("returns no entry that was deleted after it had expired", async () => {
    const store = await openExpired();
    expect(await store.delete("k")).toBe(false);
    expect(await store.retrieveOrStore("k", () => "new", OPTIONS)).toBe("new");
  });

  it("keeps the old value when the load fails, and the next call tries again", async () => {
    const store = await openExpired();
    const load = vi.fn<() => unknown>(() => Promise.reject(new Error("no network")));
    for (const calls of [1, 2]) {
      expect(await store.retrieveOrStore("k", load, OPTIONS)).toBe("old");
      await page.locks.free(LOCK);
      await page.clock.advance(0);
      expect(load).toHaveBeenCalledTimes(calls);
    }
  });

  it("gives an update of the key the same window", async () => {
    const store = page.open();
    await store.retrieveOrStore("k", () => "loaded", OPTIONS);
    await store.update("k", "old");
    page.clock.wallTime += 60_000;
    expect(await store.retrieveOrStore("k", () => "new", OPTIONS)).toBe("old");
  });

  it("ends with close: the signal of a load in the background is aborted, and its value is not stored", async () => {
    const store = await openExpired();
    let signal: AbortSignal | undefined;
    const started = new Promise<void>((resolve) => {
      const load = (_: string, context: { signal: AbortSignal }): Promise<string> => {
        ({ signal } = context);
        resolve();
        return new Promise(() => undefined);
      };
      void store.retrieveOrStore("k", load, OPTIONS);
    });
    await started;
    await store.close();
    expect(signal?.reason).toMatchObject({ code: "CLOSED" });
  });

  it("joins a call without it to the load in the background", async () => {
    const store = await openExpired();
    let end!: (value: string) => void;
    const load = vi.fn<() => unknown>(() => result);
    const result = new Promise<string>((resolve) => (end = resolve));
    expect(await store.retrieveOrStore("k", load, OPTIONS)).toBe("old");
    const waiting = store.retrieveOrStore("k", load);
    end("new");
    expect(await waiting).toBe("new");
    expect(load).toHaveBeenCalledTimes(1);
  });
});
