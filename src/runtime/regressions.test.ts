import { IDBDatabase, IDBIndex as FakeIndex } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";

import { KeyStoreError } from "../util/errors.ts";
import { destroyNamespace } from "../key-store.ts";
import { gzipPart } from "../values/gzip-part.ts";
import { writeSidePart } from "./runtime.ts";
import { caught, codeOf } from "../testing/errors.ts";
import { loseStorage, openDatabase, putOutbox, putRows, watchTransactions, writesAmong } from "../testing/indexeddb.ts";
import { entryRow } from "../testing/rows.ts";
import { DATABASE, listen, NAMESPACE, turns, until, usePage } from "../testing/stores.ts";

const page = usePage();
const LONG = "long ".repeat(1_000);

describe("a part that cannot be loaded", () => {
  it("is no damage: what waits stays queued, what is read is tried again", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ compression: true, cacheSize: 0 });
    await store.store("k", LONG);
    await store.close();

    page.nats.dialling = "answers";
    const missing = vi
      .spyOn(gzipPart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const again = page.open({ compression: true, cacheSize: 0 });
    const events = listen(again);
    await again.flush().catch(() => undefined);
    expect(await again.pendingWrites()).toMatchObject([{ key: "k", rejected: false }]);
    expect(await caught(() => again.retrieve("k"))).toBeInstanceOf(Error);
    expect(events.filter(({ type }) => type === "corrupt" || type === "rejected")).toEqual([]);
    // Without the packer a payload is stored as it is.
    expect(await again.store("other", LONG)).toBe(true);

    missing.mockRestore();
    expect(await again.retrieve("k")).toBe(LONG);
    await again.flush();
    expect(await again.pendingWrites()).toEqual([]);
  });
});

describe("the write side", () => {
  it("that cannot be loaded rejects, with nothing changed, keeps reads as they are, and loads with a later call", async () => {
    await page.open().store("k", 1);
    const missing = vi
      .spyOn(writeSidePart, "load")
      .mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "could not be loaded")));
    const store = page.open({ cacheSize: 0 });
    expect(await codeOf(() => store.store("k", 2))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.flush())).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.store("k", () => 2))).toBe("INVALID_VALUE");
    expect([await store.retrieve("k"), await store.exists("k")]).toEqual([1, true]);

    missing.mockRestore();
    expect(await store.store("k", 3)).toBe(true);
    expect(await store.retrieve("k")).toBe(3);
  });

  it("has what was read before it was there counted as used, and what is stored then kept in order", async () => {
    const earlier = page.open();
    await earlier.bulkStore({ a: 1, b: 2, c: 3 });
    // Records that these entries are confirmed, so that they may be evicted.
    await earlier.flush();
    const writeSide = await writeSidePart.load();
    let arrive = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    vi.spyOn(writeSidePart, "load").mockImplementation(async () => {
      await arrival;
      return writeSide;
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

describe("the writes of a key", () => {
  it("keep their order, though one in the middle fails before its turn", async () => {
    const store = page.open();
    await store.store("warm", 1);
    let read = (): void => undefined;
    const file = new Blob(["first"]);
    file.arrayBuffer = () => new Promise((resolve) => (read = () => resolve(new TextEncoder().encode("first").buffer)));
    const first = store.store("k", file, { format: "binary" });
    const middle = codeOf(() => store.store("k", "y".repeat(2_000_000)));
    const last = store.store("k", "last");
    expect(await middle).toBe("PAYLOAD_TOO_LARGE");
    const later = store.store("k", "later");
    await turns();
    read();
    expect(await Promise.all([first, last, later])).toEqual([true, true, true]);
    expect(await store.retrieve("k")).toBe("later");
    expect(page.nats.log.filter((line) => line.startsWith("k@"))).toEqual(["k@1", "k@2", "k@3"]);
  });

  it("keep their versions when room has to be made for one", async () => {
    const store = page.open();
    for (let n = 0; n < 3; n++) await store.store("k", n);
    await store.flush();
    const { transaction: begin } = IDBDatabase.prototype;
    let full = true;
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...given) {
      const transaction = begin.apply(this, given);
      if (given[1] === "readwrite" && full) {
        full = false;
        queueMicrotask(() => transaction.abort());
      }
      return transaction;
    });
    await store.store("k", 3, { ifVersion: 3 }).catch(() => undefined);
    expect((await store.getMetadata("k"))?.version).toBeGreaterThanOrEqual(3);
  });

  it("of a tab that opens during a drain are left to it", async () => {
    const draining = page.open();
    await draining.store("warm", 1);
    await turns(200);
    const database = openDatabase(DATABASE);
    const names = Array.from({ length: 256 }, (_, n) => `old${n}`);
    await putRows(database, Object.fromEntries(names.map((key, n) => [key, entryRow({ writeId: ["", n + 1] })])));
    await putOutbox(database, "", {
      state: "queued",
      attempts: 0,
      writes: names.map((key, n) => ({ sequence: n + 1, key, version: 1, operation: "store" as const })),
    });
    page.nats.hold();
    const flushing = draining.flush();
    await until(() => page.nats.of("old255").length > 0);
    const opened = page.open();
    const storing = opened.store("k", 1);
    await until(() => page.nats.of("k").length === 1);
    page.nats.answer();
    await Promise.all([flushing, storing]);
    await turns(200);
    expect(page.nats.of("k")).toHaveLength(1);
  });

  it("that memory has are written once, however many go together", async () => {
    const store = page.open();
    const items = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`k${n}`, n]));
    await store.bulkStore(items);
    await store.flush();
    const transactions = watchTransactions();
    await store.bulkStore(items);
    expect(writesAmong(transactions)).toBe(1);
  });
});

describe("a confirmation that could not be written down", () => {
  it("holds up another tab's write of the key only until the next transaction that works", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("warm", 1);
    await turns(200);
    page.nats.hold();
    const writing = one.store("k", 1);
    await until(() => page.nats.of("k").length === 1);
    const find = loseStorage();
    page.nats.answer();
    expect(await writing).toBe(true);
    // Looks at the outbox when what was settled is written, or is known not to be.
    expect(await codeOf(() => one.pendingWrites())).toBe("STORAGE_UNAVAILABLE");
    find();
    await one.store("another", 1);
    expect(await other.store("k", 2)).toBe(true);
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
