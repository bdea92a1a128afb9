import { describe, expect, it } from "vitest";
import { turns, until, usePage } from "../testing/stores.ts";

const page = usePage();

describe("eviction", () => {
  it("stops at the limit of entries, and takes those used least recently", async () => {
    const store = page.open({ maxEntries: 3, cacheSize: 0 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.store("d", 1);
    await until(async () => (await store.listKeys()).length <= 3);
    await turns();
    expect(await store.listKeys()).toEqual(["a", "c", "d"]);
  });

  it("counts a read from memory, and one past it, as a use", async () => {
    const store = page.open({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.retrieve("b", { useCache: false });
    await store.store("d", 1);
    await until(async () => (await store.listKeys()).length <= 3);
    expect(await store.listKeys()).toEqual(["a", "b", "d"]);
  });

  it("stops at the limit of bytes", async () => {
    const store = page.open({ maxBytes: 25 });
    for (const key of ["a", "b", "c"]) await store.store(key, "12345678", { format: "text" });
    await store.store("d", "1234567890", { format: "text" });
    await until(async () => (await store.getStorageStats()).bytes <= 25);
    await turns();
    expect(await store.listKeys()).toEqual(["c", "d"]);
  });

  it("takes what has expired first", async () => {
    const store = page.open({ maxEntries: 2 });
    await store.store("old", 1);
    await store.store("expires", 1, { ttl: 60 });
    const { now } = Date;
    Date.now = () => now() + 61_000;
    try {
      await store.store("new", 1);
      await turns(200);
      expect(await store.listKeys()).toEqual(["new", "old"]);
    } finally {
      Date.now = now;
    }
  });

  it("never takes what is not confirmed, and makes up for that once it is", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ maxEntries: 2 });
    for (const key of ["a", "b", "c", "d"]) await store.store(key, 1);
    await turns(200);
    expect(await store.listKeys()).toEqual(["a", "b", "c", "d"]);
    page.nats.dialling = "answers";
    page.events.dispatchEvent(new Event("online"));
    await until(async () => (await store.listKeys()).length <= 2);
    expect(page.nats.log.toSorted()).toEqual(["a@1", "b@1", "c@1", "d@1"]);
  });

  it("takes an entry out of memory too", async () => {
    const store = page.open({ maxEntries: 1 });
    await store.store("a", 1);
    await store.store("b", 1);
    await until(async () => (await store.listKeys()).length <= 1);
    await until(() => store.getCacheStats().size <= 1);
    expect(await store.retrieve("a")).toBeUndefined();
  });
});
