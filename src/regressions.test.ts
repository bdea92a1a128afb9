import { IDBIndex as FakeIndex } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { KeyStoreError } from "./errors.ts";
import { destroyNamespace } from "./key-store.ts";
import { lazy } from "./lazy.ts";
import { parts } from "./rooms.ts";
import { caught, codeOf } from "./testing/errors.ts";
import { openDatabase, putRows } from "./testing/indexeddb.ts";
import { DATABASE, listen, NAMESPACE, turns, until, usePage } from "./testing/stores.ts";

const page = usePage();
const LONG = "long ".repeat(1_000);

describe("a part that cannot be loaded", () => {
  it("is no damage: what waits stays queued, what is read is tried again", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ compression: true, cacheSize: 0 });
    await store.store("k", LONG);
    await store.close();

    const { compression } = lazy;
    page.nats.dialling = "answers";
    const missing = vi.spyOn(lazy, "compression").mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const again = page.open({ compression: true, cacheSize: 0 });
    const events = listen(again);
    await again.flush().catch(() => undefined);
    expect(await again.pendingWrites()).toMatchObject([{ key: "k", rejected: false }]);
    expect(await caught(() => again.retrieve("k"))).toBeInstanceOf(Error);
    expect(events.filter(({ type }) => type === "corrupt" || type === "rejected")).toEqual([]);
    // Without the packer a payload is stored as it is.
    expect(await again.store("other", LONG)).toBe(true);

    missing.mockImplementation(compression);
    expect(await again.retrieve("k")).toBe(LONG);
    await again.flush();
    expect(await again.pendingWrites()).toEqual([]);
  });
});

describe("the write side", () => {
  it("that cannot be loaded rejects, with nothing changed, keeps reads as they are, and loads with a later call", async () => {
    await page.open().store("k", 1);
    const { writeSide } = parts;
    const missing = vi.spyOn(parts, "writeSide").mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const store = page.open({ cacheSize: 0 });
    expect(await codeOf(() => store.store("k", 2))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.flush())).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.store("k", () => 2))).toBe("INVALID_VALUE");
    expect([await store.retrieve("k"), await store.exists("k")]).toEqual([1, true]);

    missing.mockImplementation(writeSide);
    expect(await store.store("k", 3)).toBe(true);
    expect(await store.retrieve("k")).toBe(3);
  });

  it("has what was read before it was there counted as used, and what is stored then kept in order", async () => {
    await page.open().bulkStore({ a: 1, b: 2, c: 3 });
    const { writeSide } = parts;
    let arrive = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    vi.spyOn(parts, "writeSide").mockImplementation(async () => {
      await arrival;
      return writeSide();
    });
    const store = page.open({ maxEntries: 3, cacheSize: 0 });
    expect(await store.retrieve("a")).toBe(1);
    const writing = [store.store("d", 1), store.store("d", 2), store.update("d", 3)];
    arrive();
    expect(await Promise.all(writing)).toEqual([true, true, true]);
    await until(async () => (await store.listKeys()).length === 3);
    expect([await store.listKeys(), await store.retrieve("d")]).toEqual([["a", "c", "d"], 3]);
  });
});

describe("limits", () => {
  it("do not count what expired and was removed by a read", async () => {
    const clock = vi.spyOn(Date, "now");
    const store = page.open({ maxEntries: 10, cacheSize: 0 });
    await store.bulkStore({ k0: 0, k1: 1 });
    await store.bulkStore(Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`t${n}`, n])), { ttl: 1 });
    const later = Date.now() + 2_000;
    clock.mockReturnValue(later);
    for (let n = 0; n < 8; n++) expect(await store.retrieve(`t${n}`)).toBeUndefined();
    await store.bulkStore({ k2: 2, k3: 3 });
    await store.close();
    expect(await page.open().listKeys()).toEqual(["k0", "k1", "k2", "k3"]);
  });

  it("are kept by one tab at a time, to the entry", async () => {
    const tabs = [page.open({ maxEntries: 10 }), page.open({ maxEntries: 10 }), page.open({ maxEntries: 10 })];
    for (let n = 0; n < 30; n++) {
      await tabs[n % 3]?.store(`k${String(n).padStart(2, "0")}`, n);
      await turns(200);
      expect(await tabs[0]?.listKeys()).toHaveLength(Math.min(10, n + 1));
    }
  });

  it("let go of what was refused and given up", async () => {
    page.nats.denies = () => true;
    const store = page.open({ maxEntries: 1 });
    expect(await codeOf(() => store.store("a", 1))).toBe("PUBLISH_REJECTED");
    expect(await codeOf(() => store.store("b", 1))).toBe("PUBLISH_REJECTED");
    expect(await store.discardRejected()).toBe(2);
    await until(async () => (await store.listKeys()).length === 1);
    expect(await store.listKeys()).toEqual(["b"]);
  });

  it("do not make every write look at everything while nothing can be evicted", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ maxEntries: 10 });
    await store.bulkStore(Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`k${n}`, n])));
    await store.store("one", 1);
    await turns(1_500);
    const looks = vi.spyOn(FakeIndex.prototype, "openKeyCursor");
    await store.store("two", 2);
    await turns(300);
    expect(looks).not.toHaveBeenCalled();
  });
});

describe("close", () => {
  it("is final, also for a write that nobody waits for any more", async () => {
    page.nats.hold();
    const store = page.open({ timeoutMs: 300 });
    const events = listen(store);
    const leaving = new AbortController();
    const writing = store.store("k", 1, { signal: leaving.signal });
    await until(() => page.nats.arrived.length > 0);
    leaving.abort();
    expect(await writing).toBe(false);
    await store.close();
    await destroyNamespace(NAMESPACE);
    const seen = events.length;
    await new Promise((resolve) => setTimeout(resolve, 0));
    await turns(300);
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain(DATABASE);
    expect(events).toHaveLength(seen);
  });
});

describe("bulkStore", () => {
  it("holds up later writes of its keys until it is committed, not until it is published", async () => {
    page.nats.hold();
    const store = page.open();
    const writing = Promise.all([store.bulkStore({ k: 1 }), store.store("k", 2)]);
    await until(async () => (await store.getMetadata("k"))?.version === 2);
    page.nats.answer();
    expect(await writing).toEqual([new Map([["k", true]]), true]);
  });

  it("refuses what is too large before anything is written", async () => {
    const store = page.open({ maxPayloadBytes: 10_000 });
    const items = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`k${n}`, n === 599 ? LONG.repeat(3) : n]));
    expect(await codeOf(() => store.bulkStore(items))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.listKeys()).toEqual([]);
  });
});

describe("a record that is no row", () => {
  it("is CHECKSUM_MISMATCH until the key is stored or updated, which makes it anew", async () => {
    const database = openDatabase(DATABASE);
    await putRows(database, { stored: { version: 4 }, updated: null });
    database.close();
    const store = page.open();
    expect(await codeOf(() => store.retrieve("stored"))).toBe("CHECKSUM_MISMATCH");
    expect(await codeOf(() => store.getMetadata("updated"))).toBe("CHECKSUM_MISMATCH");
    await store.store("stored", 1);
    await store.update("updated", 2);
    expect(await store.getMetadata("stored")).toMatchObject({ version: 5 });
    expect((await store.getMetadata("stored"))?.createdAt.getFullYear()).toBeGreaterThan(2000);
    expect(await store.retrieve("updated")).toBe(2);
  });
});

describe("tags", () => {
  it("are those of the call, whatever becomes of the array", async () => {
    const store = page.open();
    const tags = ["a"];
    const writing = store.store("k", 1, { tags });
    tags.push("b");
    await writing;
    expect((await store.getMetadata("k"))?.tags).toEqual(["a"]);
  });
});
