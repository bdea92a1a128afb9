import { describe, expect, it, vi } from "vitest";
import { NASKeyStore } from "./key-store.ts";
import { destroyNamespace } from "./runtime/destroy-namespace.ts";
import { META } from "./storage/idb/schema.ts";
import { storeEnvelope } from "./testing/envelopes.ts";
import { codeOf, errorOf } from "./testing/errors.ts";
import { deferred } from "./testing/fake-connection.ts";
import { allOutbox, allRows, loseStorage, openDatabase, resultOf } from "./testing/indexeddb.ts";
import { DATABASE, event, listen, NAMESPACE, usePage } from "./testing/stores.ts";

const page = usePage();

/** They check first that the store is in durable mode. */
const NEED_DURABLE = ["ensureStream", "pull"];

describe("A store outside a browser", () => {
  it("can be constructed, and its operations reject STORAGE_UNAVAILABLE", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const store = page.open();
    expect(await codeOf(() => store.store("k", 1))).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(() => store.retrieve("k"))).toBe("STORAGE_UNAVAILABLE");
    expect(store.getCacheStats().size).toBe(0);
  });

  it("works when only IndexedDB is provided, as in unit tests of apps", async () => {
    vi.stubGlobal("addEventListener", undefined);
    vi.stubGlobal("navigator", undefined);
    const store = page.open();
    expect(await store.store("k", 1)).toBe(true);
  });
});

describe("A store in a Firefox whose user blocks site data", () => {
  it("can be constructed, and every operation that needs storage rejects STORAGE_UNAVAILABLE, but retrieveOrStore loads", async () => {
    const forbidden = (): never => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    const refused = async (): Promise<never> => forbidden();
    vi.stubGlobal("BroadcastChannel", function forbiddenChannel() {
      forbidden();
    });
    vi.stubGlobal("navigator", { locks: { request: refused, query: refused }, storage: { estimate: refused, persist: refused } });
    vi.spyOn(globalThis.indexedDB, "open").mockImplementation(forbidden);
    const store = page.open({ persist: true });
    const codes: Record<string, unknown> = {};
    const calls: Record<string, unknown[]> = { bulkStore: [{ k: 1 }], store: ["k", 1], update: ["k", 1], flush: [] };
    Object.assign(calls, { invalidate: [{ tag: "k" }], bulkRetrieve: [["k"]], bulkDelete: [["k"]], import: [[storeEnvelope("k")]] });
    const methods = Object.getOwnPropertyNames(NASKeyStore.prototype).filter(
      (name) => !["constructor", "getCacheStats", "ping", "close", "retrieveOrStore", "peek", "watch", "addEventListener"].includes(name),
    );
    for (const method of methods) {
      const operation = (store as unknown as Record<string, (...args: unknown[]) => Promise<unknown> | AsyncGenerator>)[method];
      codes[method] = await codeOf(async () => {
        const result = operation?.apply(store, calls[method] ?? ["k"]);
        return result !== undefined && "next" in result ? result.next() : result;
      });
    }
    const expected = (method: string) => (NEED_DURABLE.includes(method) ? "INVALID_OPTION" : "STORAGE_UNAVAILABLE");
    expect(codes).toEqual(Object.fromEntries(methods.map((method) => [method, expected(method)])));
    expect(await store.ping()).toBe(true);
    expect(await store.retrieveOrStore("k", () => 1)).toBe(1);
  });
});

describe("close", () => {
  it("waits for running operations, and closes the connection", async () => {
    const store = page.open({ lingerMs: 60_000 });
    const writing = store.store("k", 1);
    const closing = store.close();
    expect(await writing).toBe(true);
    await closing;
    expect(page.nats.open).toBe(0);
  });

  it("waits for a write that is being sent, even if its call has settled", async () => {
    page.nats.hold();
    const store = page.open();
    const controller = new AbortController();
    const writing = store.store("k", 1, { signal: controller.signal });
    await page.nats.received(1);
    controller.abort();
    expect(await writing).toBe(false);
    const closing = store.close();
    // The message has no answer yet.
    await allOutbox(openDatabase(DATABASE));
    page.nats.answer();
    await closing;
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
  });

  it("can be called twice, and is called by `await using`", async () => {
    const store = page.open();
    expect(store.close()).toBe(store.close());
    await store[Symbol.asyncDispose]();
  });

  it("makes every later operation reject CLOSED", async () => {
    const store = page.open();
    await store.close();
    const operations: (() => Promise<unknown>)[] = [
      () => store.store("k", 1),
      () => store.retrieve("k"),
      () => store.delete("k"),
      () => store.exists("k"),
      () => store.update("k", 1),
      () => store.bulkStore({ k: 1 }),
      () => store.bulkRetrieve(["k"]),
      () => store.getMetadata("k"),
      () => store.clearCache(),
      () => store.listKeys(),
      () => store.ping(),
      () => store.flush(),
      () => store.pendingWrites(),
      () => store.retryRejected(),
      () => store.discardRejected(),
      () => store.getStorageStats(),
      () => store.sweep(),
    ];
    for (const operation of operations) expect(await codeOf(operation)).toBe("CLOSED");
  });

  it("makes reads reject CLOSED immediately, even for a key in memory", async () => {
    const store = page.open();
    await store.store("k", 1);
    expect(await store.retrieve("k")).toBe(1);
    const closing = store.close();
    expect(await errorOf(() => store.retrieve("k"))).toMatchObject({ code: "CLOSED", key: "k" });
    expect(await codeOf(() => store.bulkRetrieve(["k"]))).toBe("CLOSED");
    await closing;
    expect(await codeOf(() => store.retrieve("k"))).toBe("CLOSED");
  });

  it("leaves unconfirmed writes in the outbox, and the next store publishes them", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    await store.store("k", 1);
    await store.close();
    page.nats.dialling = "answers";
    await event(page.open(), "published");
    expect(page.nats.log).toEqual(["k@1"]);
  });

  it("ends all background work", async () => {
    page.nats.dialling = "refuses";
    const store = page.open({ sweepIntervalMs: 1_000 });
    expect(await store.store("k", 1)).toBe(false);
    expect(page.clock.timers).toBeGreaterThan(0);
    await store.close();
    const { dials } = page.nats;
    page.events.dispatchEvent(new Event("online"));
    await page.clock.advance(10_000);
    expect(page.nats.dials).toBe(dials);
    expect(page.clock.timers).toBe(0);
  });

  it("waits for a running eviction", async () => {
    const letGo = await page.locks.take(`${DATABASE}/evict`);
    const store = page.open({ maxEntries: 1 });
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    const closing = store.close();
    letGo();
    await closing;
    expect(Object.keys(await allRows(openDatabase(DATABASE)))).toEqual(["c"]);
  });

  it("resolves when the storage fails", async () => {
    const store = page.open({ maxEntries: 10 });
    await store.store("k", 1);
    await store.retrieve("k");
    loseStorage();
    await store.close();
    expect(await codeOf(() => store.exists("k"))).toBe("CLOSED");
  });
});

describe("A pending write", () => {
  it("is published with exponential backoff once the server answers, with its events", async () => {
    page.clock.chance = 1;
    page.nats.dialling = "refuses";
    const store = page.open();
    const events = listen(store);
    expect(await store.store("k", 1)).toBe(false);
    page.nats.dialling = "answers";
    const published = event(store, "published");
    const online = event(store, "online");
    await page.clock.advance(1_500);
    await Promise.all([published, online]);
    expect(page.nats.log).toEqual(["k@1"]);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["offline", "online", "published"]));
  });

  it.each([
    ["never answers at all, then does", "hangs"],
    ["refuses", "refuses"],
  ] as const)("is published in the end when the server %s", async (_, dialling) => {
    page.clock.chance = 1;
    page.nats.dialling = dialling;
    const store = page.open({ timeoutMs: 2_000 });
    const writing = store.store("k", 1);
    await page.nats.when(() => page.nats.dials > 0);
    await page.clock.advance(2_000);
    expect(await writing).toBe(false);
    await page.clock.advance(4_000);
    // As nats.ws does after the 6 s that it was given.
    page.nats.cut();
    page.nats.dialling = "answers";
    for (let seconds = 0; seconds < 70; seconds++) {
      await page.clock.advance(1_000);
      await page.drained();
    }
    expect(page.nats.log).toEqual(["k@1"]);
  });

  it("is announced before its call resolves false, even if the attempt to connect failed before the commit", async () => {
    const database = openDatabase(DATABASE);
    const held = deferred<void>();
    let isReleased = false;
    // While another tab holds this table, no connection to the database gets ready.
    const holding = database.run([META], "readwrite", async (transaction) => {
      held.resolve();
      while (!isReleased) await resultOf(transaction.objectStore(META).count());
    });
    await held.promise;
    page.nats.dialling = "hangs";
    const store = page.open();
    const events = listen(store);
    const writing = store.store("k", 1);
    await page.nats.when(() => page.nats.dials === 1);
    // The write waits for the database meanwhile.
    page.nats.cut();
    await page.clock.advance(0);
    isReleased = true;
    await holding;
    expect(await writing).toBe(false);
    expect(events.map(({ type }) => type)).toEqual(["offline"]);
  });

  it("is published when the browser dispatches `online`", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    await store.store("k", 1);
    page.nats.dialling = "answers";
    page.events.dispatchEvent(new Event("online"));
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["k@1"]);
  });

  it("is published by flush, which resolves to the number of pending writes", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    expect(await store.flush()).toEqual({ published: 0, pending: 3, rejected: 0 });
    page.nats.dialling = "answers";
    page.nats.denies = (subject) => subject.endsWith(".b");
    expect(await store.flush()).toEqual({ published: 2, pending: 0, rejected: 1 });
  });

  it("is counted by flush without an error while another tab drains the outbox", async () => {
    page.nats.dialling = "refuses";
    // Shorter than the first backoff.
    const store = page.open({ timeoutMs: 30 });
    await store.store("k", 1);
    await page.drained();
    const letGo = await page.locks.take(`${DATABASE}/drain`);
    const flushing = store.flush();
    await page.locks.asked(`${DATABASE}/drain`);
    await page.clock.advance(30);
    expect(await flushing).toEqual({ published: 0, pending: 1, rejected: 0 });
    letGo();
  });

  it("is kept by clearCache and sweep, even if its entry has expired", async () => {
    const store = page.open();
    await store.store("confirmed", 1);
    page.nats.dialling = "refuses";
    await store.store("waits", 2);
    await store.store("expires", 3, { ttl: 60 });
    await store.clearCache();
    expect(await store.listKeys()).toEqual(["expires", "waits"]);
    page.clock.wallTime += 61_000;
    expect(await store.sweep()).toBe(0);
    expect(await store.listKeys()).toEqual(["waits"]);
    page.nats.dialling = "answers";
    page.events.dispatchEvent(new Event("online"));
    await page.nats.received(3);
    expect(page.nats.log.toSorted()).toEqual(["confirmed@1", "expires@1", "waits@1"]);
  });

  it("is queued without an attempt while the browser is offline", async () => {
    page.navigator.onLine = false;
    const store = page.open({ servers: "wss://nats.example" });
    expect(await store.store("k", 1)).toBe(false);
    expect(page.nats.dials).toBe(0);
    page.navigator.onLine = true;
    page.events.dispatchEvent(new Event("online"));
    await page.nats.received(1);
  });
});

describe("A page", () => {
  it("closes its connection when it enters the back/forward cache, and has an empty memory after its return", async () => {
    const store = page.open({ lingerMs: 60_000 });
    await store.store("k", 1);
    page.events.dispatchEvent(new Event("pagehide"));
    await page.nats.closed();
    page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    expect(store.getCacheStats().size).toBe(0);
    expect(await store.retrieve("k")).toBe(1);
  });

  it("dispatches `reset` when its database is deleted, and continues with an empty store", async () => {
    const store = page.open();
    const events = listen(store);
    await store.store("k", 1);
    await store.flush();
    await destroyNamespace(NAMESPACE);
    expect(await store.retrieve("k")).toBeUndefined();
    expect(events.filter(({ type }) => type === "reset")).toHaveLength(1);
    expect(await store.store("k", 2)).toBe(true);
    expect(await store.getMetadata("k")).toMatchObject({ version: 1 });
  });
});

it("A store counts its entries again after its database was deleted, so that limits evict nothing too early", async () => {
  const store = page.open({ maxEntries: 2 });
  await store.bulkStore({ a: 1, b: 2 });
  await page.evicted();
  await destroyNamespace(NAMESPACE);
  expect(await store.retrieve("a")).toBeUndefined();
  await store.bulkStore({ c: 3, d: 4 });
  await page.evicted();
  expect(await store.listKeys()).toEqual(["c", "d"]);
});

it("Writes reject INSECURE_CONTEXT in a page without crypto.subtle", async () => {
  const store = page.open();
  vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes });
  expect((await errorOf(() => store.store("k", 1))).code).toBe("INSECURE_CONTEXT");
});

it("listKeys matches as fnmatch does, and sorts by code unit", async () => {
  const store = page.open();
  await store.bulkStore({ "user:2": 1, "user:1": 1, "User:3": 1, "user:10": 1, other: 1, "[x]": 1 });
  expect(await store.listKeys("user:*")).toEqual(["user:1", "user:10", "user:2"]);
  expect(await store.listKeys("user:[!1]")).toEqual(["user:2"]);
  expect(await store.listKeys("[[]x]")).toEqual(["[x]"]);
  expect(await store.listKeys()).toHaveLength(6);
});

it("getStorageStats counts entries, bytes and pending writes", async () => {
  const store = page.open();
  await store.store("a", "12345", { format: "text" });
  page.nats.denies = () => true;
  await store.bulkStore({ b: 1, c: 2 });
  expect(await store.getStorageStats()).toMatchObject({ entries: 3, bytes: 7, pendingWrites: 0, rejectedWrites: 2 });
});

it("ping resolves to whether a server answers", async () => {
  const store = page.open();
  expect(await store.ping()).toBe(true);
  page.nats.dialling = "refuses";
  expect(await store.ping()).toBe(false);
});
