import { describe, expect, it } from "vitest";
import { codeOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { fillStorage, fillStorageUntilDelete, loseStorage } from "../testing/indexeddb.ts";
import { DATABASE, event, listen, usePage } from "../testing/stores.ts";
import { smallHash } from "../values/sha256.ts";
import { smallSha256 } from "../values/small-sha256.ts";

const page = usePage();

const sized = (length: number): string => "x".repeat(length);

describe("A write on a full disk", () => {
  it("evicts as many of the least recently used entries as it needs, and is published", async () => {
    const store = page.open();
    for (const key of ["a", "b", "c", "d", "e"]) await store.store(key, sized(40_000), { format: "text" });
    await store.flush();
    fillStorageUntilDelete();
    expect(await store.store("new", 1)).toBe(true);
    const left = await store.listKeys();
    expect(left).toEqual(expect.arrayContaining(["d", "e", "new"]));
    expect(left).not.toContain("a");
    expect(page.nats.log.at(-1)).toBe("new@2");
  });

  it("evicts more than its own size when it is large", async () => {
    const store = page.open();
    for (const key of ["a", "b", "c", "d", "e"]) await store.store(key, sized(40_000), { format: "text" });
    await store.flush();
    fillStorageUntilDelete();
    expect(await store.store("new", sized(70_000), { format: "text" })).toBe(true);
    const left = await store.listKeys();
    expect(left).toEqual(expect.arrayContaining(["e", "new"]));
    for (const key of ["a", "b"]) expect(left).not.toContain(key);
  });

  it("rejects and changes nothing when only its own key and unconfirmed writes could be evicted", async () => {
    const store = page.open();
    await store.store("k", "old");
    page.nats.denies = () => true;
    expect(await codeOf(() => store.store("refused", 1))).toBe("PUBLISH_REJECTED");
    await store.flush();
    const empty = fillStorage();
    expect(await codeOf(() => store.store("k", "new"))).toBe("QUOTA_EXCEEDED");
    empty();
    expect(await store.bulkRetrieve(["k", "refused"], { useCache: false })).toEqual(
      new Map<string, unknown>([
        ["k", "old"],
        ["refused", 1],
      ]),
    );
    page.nats.denies = () => false;
    expect(await store.store("k", "newer")).toBe(true);
  });

  it("removes the evicted entries from the memory of every tab", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("a", 1);
    await one.flush();
    expect(await one.retrieve("a")).toBe(1);
    expect(await other.retrieve("a")).toBe(1);
    fillStorageUntilDelete();
    await one.store("new", 1);
    expect(await one.retrieve("a")).toBeUndefined();
    await FakeChannel.delivered();
    expect(await other.retrieve("a")).toBeUndefined();
  });
});

describe("clearCache", () => {
  it("empties the memory of every tab", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.bulkStore({ a: 1, b: 2 });
    await other.bulkRetrieve(["a", "b"]);
    await one.clearCache();
    expect(one.getCacheStats().size).toBe(0);
    expect(await one.retrieve("a")).toBeUndefined();
    await FakeChannel.delivered();
    expect(await other.bulkRetrieve(["a", "b"])).toEqual(new Map());
  });

  it("makes every tab count its entries again, so that limits evict nothing too early", async () => {
    const [one, other] = [page.open({ maxEntries: 4 }), page.open({ maxEntries: 4 })];
    await one.bulkStore({ a: 1, b: 2 });
    await other.bulkStore({ c: 1, d: 2 });
    await page.evicted();
    await one.clearCache();
    await FakeChannel.delivered();
    await one.bulkStore({ e: 1, f: 2 });
    await page.evicted();
    await other.bulkStore({ g: 1, h: 2 });
    await page.evicted();
    expect(await one.listKeys()).toEqual(["e", "f", "g", "h"]);
  });

  it("is not undone by a running read", async () => {
    const writer = page.open();
    await writer.store("k", 1);
    const store = page.open();
    await store.flush();
    const reading = store.retrieve("k");
    const clearing = writer.clearCache();
    await Promise.all([reading, clearing]);
    await FakeChannel.delivered();
    expect(await store.retrieve("k")).toBeUndefined();
  });
});

describe("An entry that one tab removes", () => {
  it("to stay within its limits leaves the memory of the others", async () => {
    const [one, other] = [page.open({ maxEntries: 1 }), page.open()];
    await one.store("a", 1);
    expect(await other.retrieve("a")).toBe(1);
    await one.store("b", 1);
    await one.flush();
    await page.evicted();
    expect(await other.retrieve("a")).toBeUndefined();
    expect(await one.listKeys()).toEqual(["b"]);
  });

  it("because it has expired leaves the memory of the others, even if their clocks are slow", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("a", 1, { ttl: 60 });
    expect(await other.retrieve("a")).toBe(1);
    page.clock.wallTime += 61_000;
    expect(await one.sweep()).toBe(1);
    page.clock.wallTime -= 61_000;
    await FakeChannel.delivered();
    expect(await one.retrieve("a")).toBeUndefined();
    expect(await other.retrieve("a")).toBeUndefined();
  });

  it("is no longer counted by the others, so that limits evict nothing too early", async () => {
    const [one, other] = [page.open(), page.open({ maxEntries: 2 })];
    await other.bulkStore({ a: 1 });
    await other.store("b", 1, { ttl: 60 });
    await page.evicted();
    page.clock.wallTime += 61_000;
    expect(await one.sweep()).toBe(1);
    await FakeChannel.delivered();
    await other.store("c", 1);
    await page.evicted();
    expect(await one.listKeys()).toEqual(["a", "c"]);
  });
});

describe("A rejected write", () => {
  it("is published in the background after a retry, alone or with all others", async () => {
    const store = page.open();
    page.nats.denies = () => true;
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    expect(await store.flush()).toEqual({ published: 0, pending: 0, rejected: 3 });
    page.nats.denies = () => false;
    expect(await store.retryRejected("none")).toBe(0);
    const published = event(store, "published");
    expect(await store.retryRejected("b")).toBe(1);
    await published;
    expect(await store.pendingWrites()).toMatchObject([{ key: "a" }, { key: "c" }]);
    expect(page.nats.log).toEqual(["b@1"]);
    expect(await store.retryRejected()).toBe(2);
    await page.nats.received(3);
    await store.flush();
    expect(await store.pendingWrites()).toEqual([]);
    expect(page.nats.log.toSorted()).toEqual(["a@1", "b@1", "c@1"]);
  });

  it("can be retried by another tab, and all tabs dispatch `published`", async () => {
    const [one, other] = [page.open(), page.open()];
    page.nats.denies = () => true;
    expect(await codeOf(() => one.store("k", 1))).toBe("PUBLISH_REJECTED");
    await one.flush();
    page.nats.denies = () => false;
    const events = listen(other);
    const published = event(other, "published");
    expect(await other.retryRejected("k")).toBe(1);
    await published;
    await page.drained();
    expect(await one.pendingWrites()).toEqual([]);
    expect(page.nats.log).toEqual(["k@1"]);
    expect(events).toMatchObject([{ type: "published", detail: { key: "k", version: 1 } }]);
    expect((await one.getMetadata("k"))?.pending).toBe(false);
  });

  it("is not sent again by the tab that wrote it when another tab's attempt was rejected", async () => {
    page.nats.dialling = "refuses";
    const one = page.open();
    expect(await one.store("k", 1)).toBe(false);
    const other = page.open();
    page.nats.dialling = "answers";
    let attempts = 0;
    page.nats.denies = () => (attempts++, true);
    expect(await other.flush()).toMatchObject({ rejected: 1 });
    const before = attempts;
    const events = listen(one);
    for (let drain = 0; drain < 3; drain++) expect(await one.flush()).toMatchObject({ published: 0, rejected: 1 });
    expect(attempts).toBe(before);
    expect(events.filter(({ type }) => type === "rejected")).toEqual([]);
  });

  it("can be evicted after it is discarded, and no other rejected write can", async () => {
    page.nats.denies = () => true;
    const store = page.open({ maxEntries: 1 });
    for (const key of ["a", "b"]) await store.store(key, 1).catch(() => undefined);
    await page.evicted();
    expect(await store.discardRejected("a")).toBe(1);
    await page.evicted();
    expect(await store.listKeys()).toEqual(["b"]);
    expect(await store.pendingWrites()).toMatchObject([{ key: "b", rejected: true }]);
  });
});

describe("The size of a message", () => {
  it.each([
    ["the server's", 3_000, 1_000_000],
    ["maxPayloadBytes", 1_000_000, 3_000],
  ])("is limited by %s, where that is less", async (_, maxPayload, maxPayloadBytes) => {
    page.nats.maxPayload = maxPayload;
    const store = page.open({ maxPayloadBytes });
    expect(await store.ping()).toBe(true);
    expect(await codeOf(() => store.store("k", sized(3_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await codeOf(() => store.bulkStore({ k: sized(3_000) }))).toBe("PAYLOAD_TOO_LARGE");
    expect(await codeOf(() => store.update("k", sized(3_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.exists("k")).toBe(false);
    expect(await store.store("k", sized(2_000))).toBe(true);
  });

  it("counts the tags that an update keeps", async () => {
    const store = page.open({ maxPayloadBytes: 3_000 });
    await store.store("k", 1, { tags: Array.from({ length: 10 }, (_, n) => `${n}`.padEnd(100, "t")) });
    expect(await store.store("other", sized(2_000))).toBe(true);
    expect(await codeOf(() => store.update("k", sized(2_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.retrieve("k", { useCache: false })).toBe(1);
  });
});

describe("An expired entry", () => {
  it("that cannot be removed yet stays absent, and is removed by the next read that finds it", async () => {
    const store = page.open({ cacheSize: 0 });
    await store.store("k", 1, { ttl: 60 });
    await store.flush();
    page.clock.wallTime += 61_000;
    const find = loseStorage();
    expect(await codeOf(() => store.retrieve("k"))).toBe("STORAGE_UNAVAILABLE");
    find();
    expect(await store.retrieve("k")).toBeUndefined();
    page.clock.wallTime -= 61_000;
    // The removal goes along with a later transaction, which this waits for.
    await store.pendingWrites();
    expect(await store.getStorageStats()).toMatchObject({ entries: 0 });
    expect(await store.exists("k")).toBe(false);
  });
});

it("Unconfirmed entries over the limit are evicted once the server has confirmed them", async () => {
  page.nats.dialling = "refuses";
  const store = page.open({ maxEntries: 1 });
  await store.bulkStore({ a: 1, b: 2, c: 3 });
  await page.evicted();
  expect(await store.listKeys()).toEqual(["a", "b", "c"]);
  page.nats.dialling = "answers";
  expect(await store.flush()).toMatchObject({ published: 3 });
  await page.evicted();
  expect(await store.listKeys()).toHaveLength(1);
});

it("The lock of eviction has the name of the namespace, so that one tab at a time evicts", async () => {
  const letGo = await page.locks.take(`${DATABASE}/evict`);
  const store = page.open({ maxEntries: 1 });
  await store.bulkStore({ a: 1, b: 2 });
  await page.locks.asked(`${DATABASE}/evict`);
  expect(await store.listKeys()).toEqual(["a", "b"]);
  letGo();
  await page.evicted();
  expect(await store.listKeys()).toHaveLength(1);
});

it("The write side loads the SHA-256 for small payloads", async () => {
  smallHash.loaded = undefined;
  await page.open().store("k", 1);
  expect(smallHash.loaded).toBe(smallSha256);
});
