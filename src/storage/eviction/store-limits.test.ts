import { describe, expect, it } from "vitest";

import { DATABASE, usePage } from "../../testing/stores.ts";

const page = usePage();

/** An eviction holds this lock. A request for it is granted when the evictions under way have ended. */
async function evictionEnds(): Promise<void> {
  await page.locks.request(`${DATABASE}/evict`, () => undefined);
}

describe("A store with limits", () => {
  it("evicts the least recently used entries, down to maxEntries", async () => {
    const store = page.open({ maxEntries: 3, cacheSize: 0 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.store("d", 1);
    await evictionEnds();
    expect(await store.listKeys()).toEqual(["a", "c", "d"]);
  });

  it("counts a read from memory as a use, and a read from the database", async () => {
    const store = page.open({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.retrieve("b", { useCache: false });
    await store.store("d", 1);
    await evictionEnds();
    expect(await store.listKeys()).toEqual(["a", "b", "d"]);
  });

  it("evicts the least recently used entries, down to maxBytes", async () => {
    const store = page.open({ maxBytes: 25 });
    for (const key of ["a", "b", "c"]) await store.store(key, "12345678", { format: "text" });
    await store.store("d", "1234567890", { format: "text" });
    await evictionEnds();
    expect(await store.listKeys()).toEqual(["c", "d"]);
  });

  it("removes expired entries before it evicts others", async () => {
    const store = page.open({ maxEntries: 2 });
    await store.store("old", 1);
    await store.store("expires", 1, { ttl: 60 });
    page.clock.wallTime += 61_000;
    await store.store("new", 1);
    await evictionEnds();
    expect(await store.listKeys()).toEqual(["new", "old"]);
  });

  it("evicts no unconfirmed entry until it is confirmed", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ maxEntries: 2 });
    for (const key of ["a", "b", "c", "d"]) await store.store(key, 1);
    await evictionEnds();
    expect(await store.listKeys()).toEqual(["a", "b", "c", "d"]);
    page.nats.dialling = "answers";
    const published = new Promise<void>((resolve) => {
      let count = 0;
      store.addEventListener("published", () => ++count === 4 && resolve());
    });
    page.events.dispatchEvent(new Event("online"));
    await published;
    await store.close();
    expect(await page.open().listKeys()).toEqual(["c", "d"]);
    expect(page.nats.log.toSorted()).toEqual(["a@1", "b@1", "c@1", "d@1"]);
  });

  it("forgets an evicted entry in memory too", async () => {
    const store = page.open({ maxEntries: 1 });
    await store.store("a", 1);
    await store.store("b", 1);
    await evictionEnds();
    expect(store.getCacheStats().size).toBe(1);
    expect(await store.retrieve("a")).toBeUndefined();
  });
});
