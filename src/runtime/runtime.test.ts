import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { writeSidePart } from "./runtime.ts";
import { UPGRADES } from "../storage/idb/schema.ts";
import { PROTOCOL } from "../tabs/channel.ts";
import type { TabMessage } from "../tabs/messages.ts";
import { codeOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { deferred } from "../testing/fake-connection.ts";
import { allRows, openDatabase, putOutbox, putRows, resultOf, watchConnections } from "../testing/indexeddb.ts";
import { entryRow } from "../testing/rows.ts";
import { committed, DATABASE, event, listen, usePage } from "../testing/stores.ts";

const page = usePage();
const ALIVE = `${DATABASE}/alive/`;

const hide = (): void => void page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
const comeBack = (): void => void page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
const alive = async (): Promise<number> => {
  const { held = [] } = await page.locks.query();
  return held.filter(({ name, mode }) => mode === "exclusive" && name?.startsWith(ALIVE)).length;
};

/** Sends a message to the stores as another tab does. */
function tell(message: TabMessage, protocol: unknown = PROTOCOL): void {
  const channel = new BroadcastChannel(DATABASE);
  channel.postMessage({ protocol, ...message });
  channel.close();
}

/** Leaves an unconfirmed write in the database as another tab does. */
async function leave(instanceId: string, state: "sending" | "queued", key: string, value = "1"): Promise<void> {
  const database = openDatabase(DATABASE);
  await putRows(database, { [key]: entryRow({ payload: value, writeId: [instanceId, 1] }) });
  await putOutbox(database, instanceId, { state, attempts: 0, writes: [{ sequence: 1, key, version: 1, operation: "store" }] });
  database.close();
}

/** Holds back the loading of the write side. The function returned lets it go on. */
function holdWriteSide(): () => void {
  const load = writeSidePart.load.bind(writeSidePart);
  const held = deferred<void>();
  vi.spyOn(writeSidePart, "load").mockImplementation(async () => {
    await held.promise;
    return load();
  });
  return () => held.resolve();
}

/** A store that has finished the background work of its start. */
async function openQuiet(options?: Parameters<typeof page.open>[0]): Promise<NASKeyStore> {
  const store = page.open(options);
  await store.flush();
  await page.evicted();
  return store;
}

describe("A page that enters the back/forward cache", () => {
  it("does not block another page that upgrades the database, even without a `versionchange` event", async () => {
    const connections = watchConnections();
    const store = await openQuiet();
    await store.store("k", 1);
    hide();
    for (const { database } of connections) database.onversionchange = null;
    const blocked = vi.fn<() => void>();
    const request = indexedDB.open(DATABASE, UPGRADES.length + 1);
    request.addEventListener("blocked", blocked);
    (await resultOf(request)).close();
    expect(blocked).not.toHaveBeenCalled();
  });

  it("releases its liveness lock and receives no message until its return", async () => {
    const store = await openQuiet();
    await store.store("k", 1);
    await store.flush();
    expect(await alive()).toBe(1);
    hide();
    await page.clock.advance(0);
    expect(await alive()).toBe(0);
    expect(FakeChannel.openOn(DATABASE)).toBe(0);
    comeBack();
    await page.clock.advance(0);
    expect(await alive()).toBe(1);
    await store.retrieve("k");
    tell({ type: "changes", pageId: "other", changes: [{ type: "clear" }] });
    await FakeChannel.delivered();
    expect(store.getCacheStats().size).toBe(0);
  });

  it("has an empty memory after its return, even if it has read in the cache", async () => {
    const store = await openQuiet();
    await store.store("k", "old");
    hide();
    expect(await store.retrieve("k")).toBe("old");
    const database = openDatabase(DATABASE);
    await putRows(database, { k: entryRow({ payload: '"new"', version: 2 }) });
    database.close();
    expect(await store.retrieve("k")).toBe("old");
    comeBack();
    expect(await store.retrieve("k")).toBe("new");
  });

  it("publishes its queued writes after its return, and the writes of a tab that has ended", async () => {
    await openQuiet();
    const die = await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", "theirs");
    hide();
    die();
    await page.drained();
    expect(page.nats.log).toEqual([]);
    comeBack();
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["theirs@1"]);
  });

  it("keeps its limits after its return, although other tabs have stored entries", async () => {
    const store = await openQuiet({ maxEntries: 2 });
    await store.bulkStore({ a: 1, b: 2 });
    // Records that these entries are confirmed, so that they may be evicted.
    await store.flush();
    await page.evicted();
    hide();
    const database = openDatabase(DATABASE);
    await putRows(database, { c: entryRow({ writeId: ["gone", 1], lastUsed: page.clock.now() + 1_000 }) });
    database.close();
    comeBack();
    await page.evicted();
    expect(await store.listKeys()).toEqual(["b", "c"]);
  });

  it("takes its liveness lock when the write side has loaded after its return", async () => {
    const loadWriteSide = holdWriteSide();
    const store = page.open();
    hide();
    comeBack();
    loadWriteSide();
    await store.pendingWrites();
    expect(await alive()).toBe(1);
  });
});

describe("A tab that ends", () => {
  it.each<[string, (pageId: string) => TabMessage]>([
    ["says that it lives", (pageId) => ({ type: "hello", pageId })],
    ["announces a write", (pageId) => ({ type: "changes", pageId, changes: [] })],
  ])("after it opened later and %s has its writes taken over", async (_, message) => {
    await openQuiet();
    const die = await page.locks.take(`${ALIVE}later`);
    tell(message("later"));
    await FakeChannel.delivered();
    await leave("later", "sending", "theirs");
    die();
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["theirs@1"]);
  });

  it("is known to the tabs that opened before it, because each tab announces itself", async () => {
    const heard: TabMessage[] = [];
    const channel = new BroadcastChannel(DATABASE);
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => void heard.push(data);
    await page.open().flush();
    await FakeChannel.delivered();
    expect(heard).toMatchObject([{ protocol: PROTOCOL, type: "hello", pageId: expect.stringMatching(/^[0-9a-f]{32}$/) as string }]);
    channel.close();
  });
});

describe("A message of another tab", () => {
  it("that it has published a write makes an offline store try the server when its next attempt is due", async () => {
    page.clock.chance = 1;
    page.nats.dialling = "refuses";
    const store = await openQuiet();
    const events = listen(store);
    expect(await store.ping()).toBe(false);
    page.nats.dialling = "answers";
    const pass = async (): Promise<void> => {
      await page.clock.advance(2_000);
      await page.drained();
    };
    await pass();
    expect(events.filter(({ type }) => type === "online")).toEqual([]);
    tell({ type: "settled", writes: [{ key: "x", version: 1 }], confirmed: false });
    await FakeChannel.delivered();
    await pass();
    expect(events.filter(({ type }) => type === "online")).toEqual([]);
    tell({ type: "settled", writes: [{ key: "x", version: 1 }], confirmed: true });
    await FakeChannel.delivered();
    const online = event(store, "online");
    await page.clock.advance(2_000);
    expect(await online).toEqual({ pending: 0 });
  });

  it("that it has published a write lets this tab publish its newer write of the key", async () => {
    await openQuiet();
    const die = await page.locks.take(`${ALIVE}other`);
    await leave("other", "sending", "k");
    const store = await openQuiet();
    const writing = store.store("k", 2);
    await committed("k", 2);
    await page.drained();
    expect(page.nats.log).toEqual([]);
    const database = openDatabase(DATABASE);
    await database.run(["outbox"], "readwrite", (transaction) => void transaction.objectStore("outbox").delete(["other", 1]));
    database.close();
    tell({ type: "settled", writes: [{ key: "k", version: 1 }], confirmed: true });
    expect(await writing).toBe(true);
    expect(page.nats.log).toEqual(["k@2"]);
    die();
  });

  it("that it has stored or removed entries makes this tab count its entries again, so that its limits hold", async () => {
    const store = await openQuiet({ maxEntries: 3 });
    await store.bulkStore({ a: 1, b: 2 });
    // Records that these entries are confirmed, so that they may be evicted.
    await store.flush();
    await page.evicted();
    const database = openDatabase(DATABASE);
    await putRows(database, { c: entryRow(), d: entryRow() });
    database.close();
    tell({ type: "changes", pageId: "other", changes: ["c", "d"].map((key) => ({ type: "store", key, version: 1 })) });
    await FakeChannel.delivered();
    await store.store("a", 3);
    await page.evicted();
    expect(await store.listKeys()).toHaveLength(3);
    expect(await store.listKeys()).toContain("a");
  });
});

describe("A message of another protocol version", () => {
  it("makes a tab watch its sender, and publish the writes of the sender when it ends", async () => {
    await openQuiet();
    const die = await page.locks.take(`${ALIVE}newer`);
    tell({ type: "hello", pageId: "newer" }, PROTOCOL + 1);
    await FakeChannel.delivered();
    await page.locks.asked(`${ALIVE}newer`);
    await leave("newer", "sending", "theirs");
    die();
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["theirs@1"]);
  });

  it.each([PROTOCOL + 1, 0, null])("%s empties the memory of a tab, and makes it count its entries again", async (protocol) => {
    const store = await openQuiet({ maxEntries: 3 });
    await store.bulkStore({ a: 1, b: 2 });
    // Records that these entries are confirmed, so that they may be evicted.
    await store.flush();
    await page.evicted();
    const database = openDatabase(DATABASE);
    await putRows(database, { a: entryRow({ payload: '"changed elsewhere"', version: 2 }), c: entryRow(), d: entryRow() });
    database.close();
    expect(await store.retrieve("a")).toBe(1);
    tell({ type: "later" } as unknown as TabMessage, protocol);
    await FakeChannel.delivered();
    expect(store.getCacheStats().size).toBe(0);
    expect(await store.retrieve("a")).toBe("changed elsewhere");
    await store.store("a", 3);
    await page.evicted();
    expect(await store.listKeys()).toHaveLength(3);
    expect(await store.listKeys()).toContain("a");
  });
});

describe("A store on the network", () => {
  it("publishes queued writes when a ping succeeds after an outage", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    expect(await store.store("k", 1)).toBe(false);
    page.nats.dialling = "answers";
    expect(await store.ping()).toBe(true);
    await page.nats.received(1);
    expect(page.nats.log).toEqual(["k@1"]);
  });

  it("is offline when an open connection breaks, but the next write makes an attempt", async () => {
    const store = await openQuiet();
    const events = listen(store);
    page.nats.hold();
    const lost = store.store("k", 1);
    await page.nats.received(1);
    page.nats.cut();
    expect(await lost).toBe(false);
    expect(events).toMatchObject([{ type: "offline", detail: { pending: 1 } }]);
    page.nats.answer();
    const online = event(store, "online");
    expect(await store.store("other", 1)).toBe(true);
    await online;
  });

  it.each([
    [["ws://localhost:1", "ws://127.0.0.1:2", "ws://[::1]:3", "ws://a.localhost"], true],
    [["ws://localhost:1", "wss://nats.example"], false],
    [["wss://127.example"], false],
  ])("of %j is tried in a browser that says that it is offline: %s", async (servers, isTried) => {
    page.navigator.onLine = false;
    const store = page.open({ servers });
    expect(await store.store("k", 1)).toBe(isTried);
    expect(page.nats.dials > 0).toBe(isTried);
  });

  it("dispatches `offline` with the number of pending writes when the browser goes offline", async () => {
    const store = await openQuiet({ servers: "wss://nats.example" });
    const offline = event(store, "offline");
    page.navigator.onLine = false;
    page.events.dispatchEvent(new Event("offline"));
    expect(await offline).toEqual({ pending: 0, error: new Error("The browser is offline.") });
  });

  it("limits an attempt in the background to 6 s, even if timeoutMs is shorter", async () => {
    const asked: unknown[] = [];
    const connect = async (options: object): Promise<unknown> => {
      asked.push((options as { timeout: number }).timeout);
      throw new Error("refused");
    };
    await page.open({ connect, timeoutMs: 1_000 }).ping();
    await page.open({ connect, timeoutMs: 9_000 }).ping();
    expect(asked).toEqual([6_000, 9_000]);
  });

  it("connects while a write is being committed, and for writes only", async () => {
    const store = await openQuiet();
    await Promise.all([store.exists("k"), store.listKeys(), store.pendingWrites()]);
    expect(page.nats.dials).toBe(0);
    expect(await codeOf(() => store.store("k", 1, { ifVersion: 5 }))).toBe("VERSION_CONFLICT");
    expect(page.nats.dials).toBe(1);
    await page.nats.closed();
  });
});

it("A store sweeps every sweepIntervalMs, unless another tab is sweeping", async () => {
  const store = await openQuiet({ sweepIntervalMs: 1_000, cacheSize: 0 });
  await store.store("k", 1, { ttl: 60 });
  await store.flush();
  page.clock.wallTime += 61_000;
  const isThere = async (): Promise<boolean> => {
    const database = openDatabase(DATABASE);
    const rows = await allRows(database);
    database.close();
    return "k" in rows;
  };
  const letGo = await page.locks.take(`${DATABASE}/sweep`);
  await page.clock.advance(2_000);
  expect(await isThere()).toBe(true);
  letGo();
  await page.locks.free(`${DATABASE}/sweep`);
  await page.clock.advance(1_000);
  await page.locks.free(`${DATABASE}/sweep`);
  expect(await isThere()).toBe(false);
});

describe("A closed store", () => {
  it("receives no message, holds no liveness lock, and has no connection", async () => {
    const connections = watchConnections();
    const store = await openQuiet();
    await store.store("k", 1);
    await store.close();
    expect({ alive: await alive(), connections: page.nats.open, channels: FakeChannel.openOn(DATABASE) }).toEqual({
      alive: 0,
      connections: 0,
      channels: 0,
    });
    for (const { database } of connections) expect(() => database.transaction("meta")).toThrow(/InvalidState|not running|closed/i);
  });

  it("does not start again when its page returns or its write side loads late", async () => {
    const loadWriteSide = holdWriteSide();
    await leave("dead", "queued", "theirs");
    const store = page.open();
    const closing = store.close();
    loadWriteSide();
    await closing;
    comeBack();
    page.events.dispatchEvent(new Event("online"));
    await page.drained();
    expect({ alive: await alive(), dials: page.nats.dials }).toEqual({ alive: 0, dials: 0 });
  });

  it("has recorded the uses of its entries, so that eviction has them after a reload", async () => {
    const store = await openQuiet({ maxEntries: 3, cacheSize: 0 });
    for (const key of ["a", "b", "c"]) await store.store(key, 1);
    await store.retrieve("a");
    await store.close();
    await page.clock.advance(1_000);
    const next = await openQuiet({ maxEntries: 3 });
    await next.store("d", 1);
    await page.evicted();
    expect(await next.listKeys()).toEqual(["a", "c", "d"]);
  });
});
