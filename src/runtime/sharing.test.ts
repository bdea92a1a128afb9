import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import { destroyNamespace } from "./destroy-namespace.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { allOutbox, openDatabase, watchConnections } from "../testing/indexeddb.ts";
import { DATABASE, event, listen, NAMESPACE, usePage } from "../testing/stores.ts";

const page = usePage();

/** Reads "k" from the memory of every store, or from the database. */
const values = (stores: readonly NASKeyStore[]): Promise<unknown[]> => Promise.all(stores.map((store) => store.retrieve("k")));

/** How many locks are held or waited for. */
async function countLocks(): Promise<number> {
  const { held = [], pending = [] } = await page.locks.query();
  return held.length + pending.length;
}

/** Settings that do not allow a store to share the engine of a store with the usual settings. */
const OTHER = { lingerMs: 1_000 };

describe.each([
  ["the same settings", {}],
  ["other network settings", OTHER],
])("Stores of one page, the second with %s,", (_, options) => {
  async function openTwo(): Promise<[NASKeyStore, NASKeyStore]> {
    const two: [NASKeyStore, NASKeyStore] = [page.openTogether(), page.openTogether(options)];
    await Promise.all(two.map((store) => store.flush()));
    return two;
  }

  it.each(["answers", "refuses"] as const)("read each other's writes at once while the server %s", async (dialling) => {
    const [one, other] = await openTwo();
    page.nats.dialling = dialling;
    await one.store("k", 1);
    expect(await values([one, other])).toEqual([1, 1]);
    await one.store("k", 2);
    expect(await values([one, other])).toEqual([2, 2]);
    await other.update("k", 3);
    expect(await values([one, other])).toEqual([3, 3]);
    await one.bulkStore({ k: 4, l: 4 });
    expect(await values([one, other])).toEqual([4, 4]);
    await other.delete("k");
    expect(await values([one, other])).toEqual([undefined, undefined]);
    expect(await other.exists("k")).toBe(false);
  });

  it("forget together what one of them clears", async () => {
    const [one, other] = await openTwo();
    await one.store("k", 1);
    await Promise.all([one.flush(), other.flush()]);
    expect(await values([one, other])).toEqual([1, 1]);
    await one.clearCache();
    expect(await values([one, other])).toEqual([undefined, undefined]);
  });

  it("do not let a read that a write of the other store has overtaken enter memory", async () => {
    const [one, other] = await openTwo();
    await one.store("k", 1);
    const reading = other.retrieve("k");
    await one.store("k", 2);
    await reading;
    expect(await other.retrieve("k")).toBe(2);
  });

  it("keep a written entry in the memory of its writer only", async () => {
    const [one, other] = await openTwo();
    await one.store("k", 1);
    expect([one.getCacheStats().size, other.getCacheStats().size]).toEqual([1, 0]);
  });

  it("continue when one of them closes, until the last one releases everything", async () => {
    const connections = watchConnections();
    const [one, other] = await openTwo();
    await one.store("k", 1);
    await one.close();
    expect(await other.store("k", 2)).toBe(true);
    expect(await other.retrieve("k")).toBe(2);
    expect(FakeChannel.openOn(DATABASE)).toBe(1);
    await other.close();
    expect({ locks: await countLocks(), channels: FakeChannel.openOn(DATABASE), open: page.nats.open }).toEqual({
      locks: 0,
      channels: 0,
      open: 0,
    });
    for (const { database } of connections) expect(() => database.transaction("meta")).toThrow(/InvalidState|not running|closed/i);
    // The next store begins anew.
    expect(await page.openTogether(options).retrieve("k")).toBe(2);
  });

  it("receive the changes of another tab through one channel, and send it each change once", async () => {
    const [one, other] = await openTwo();
    const tab = page.open();
    await tab.flush();
    const post = vi.spyOn(BroadcastChannel.prototype, "postMessage");
    await one.store("k", 1);
    expect(post.mock.calls.filter(([message]) => (message as { type: string }).type === "changes")).toHaveLength(1);
    expect(await values([one, other, tab])).toEqual([1, 1, 1]);
    await tab.store("k", 2);
    await FakeChannel.delivered();
    expect(await values([one, other])).toEqual([2, 2]);
  });

  it("publish the writes that one of them has queued before it closed", async () => {
    const [one, other] = await openTwo();
    page.nats.dialling = "refuses";
    expect(await one.store("k", 1)).toBe(false);
    await one.close();
    page.nats.dialling = "answers";
    await other.flush();
    expect(page.nats.log).toEqual(["k@1"]);
    expect(await allOutbox(openDatabase(DATABASE))).toEqual([]);
  });

  it("open a new database after another part of the page has deleted theirs", async () => {
    const [one, other] = await openTwo();
    await one.store("k", 1);
    expect(await values([one, other])).toEqual([1, 1]);
    await destroyNamespace(NAMESPACE);
    const resets = [event(one, "reset"), event(other, "reset")];
    expect(await values([one, other])).toEqual([undefined, undefined]);
    await Promise.all(resets);
    expect(await one.store("k", 2)).toBe(true);
    expect(await other.retrieve("k")).toBe(2);
  });

  it("release the liveness lock and the channel when their page enters the back/forward cache, and work after its return", async () => {
    const [one, other] = await openTwo();
    await one.store("k", 1);
    page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    await page.clock.advance(0);
    expect({ locks: await countLocks(), channels: FakeChannel.openOn(DATABASE) }).toEqual({ locks: 0, channels: 0 });
    page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await page.clock.advance(0);
    expect(FakeChannel.openOn(DATABASE)).toBe(1);
    await other.store("k", 2);
    expect(await one.retrieve("k")).toBe(2);
  });
});

it("engines of one page ask for the drain lock one after another: other tabs see one page", async () => {
  const letGo = await page.locks.take(`${DATABASE}/drain`);
  const stores = [page.openTogether(), page.openTogether(OTHER)];
  const flushing = stores.map((store) => store.flush());
  await page.locks.asked(`${DATABASE}/drain`);
  await page.clock.advance(0);
  const { pending = [] } = await page.locks.query();
  expect(pending.filter(({ name }) => name === `${DATABASE}/drain`)).toHaveLength(1);
  letGo();
  await Promise.all(flushing);
});

describe("200 stores of one page", () => {
  it("hold one liveness lock, one channel and one set of listeners, and use one connection for one write each", async () => {
    const listening = vi.spyOn(globalThis as unknown as EventTarget, "addEventListener");
    const stores = Array.from({ length: 200 }, (_, index) => page.openTogether({ cacheSize: index }));
    const written = await Promise.all(stores.map((store, index) => store.store(`k${index}`, index)));
    expect(written.every(Boolean)).toBe(true);
    await page.drained();
    expect(await countLocks()).toBe(1);
    expect(FakeChannel.openOn(DATABASE)).toBe(1);
    expect(listening).toHaveBeenCalledTimes(5);
    expect(page.nats.dials).toBe(1);
    expect(page.nats.arrived).toHaveLength(200);
  });

  it("watch the page of another tab once", async () => {
    const tab = page.open();
    await tab.flush();
    await Promise.all(Array.from({ length: 200 }, () => page.openTogether().flush()));
    await FakeChannel.delivered();
    // Two liveness locks, and each page waits for that of the other one.
    expect(await countLocks()).toBe(4);
  });
});

describe("An outage", () => {
  it("that one store has found makes none of the others try before the next attempt is due", async () => {
    page.clock.chance = 1;
    page.nats.dialling = "refuses";
    const one = page.openTogether();
    expect(await one.store("k", 1)).toBe(false);
    const { dials } = page.nats;
    const others = Array.from({ length: 10 }, () => page.openTogether());
    const offline = others.map((store) => event(store, "offline"));
    expect(await Promise.all(others.map((store) => store.store("l", 1)))).toEqual(others.map(() => false));
    expect(page.nats.dials).toBe(dials);
    expect(await Promise.all(offline)).toHaveLength(10);
  });

  it("ends for all stores at once", async () => {
    page.nats.dialling = "refuses";
    const stores = [page.openTogether(), page.openTogether()];
    for (const store of stores) await store.store("k", 1);
    page.nats.dialling = "answers";
    const online = stores.map((store) => event(store, "online"));
    await stores[0]?.flush();
    expect(await Promise.all(online)).toEqual([{ pending: 0 }, { pending: 0 }]);
  });
});

describe("The settings that stores share", () => {
  it.each([
    ["equal lists of servers and equal credentials", { servers: ["ws://a", "ws://b"], connection: { user: "u", pass: "p" } }, 1],
    ["another list of servers", { servers: ["ws://a", "ws://c"], connection: { user: "u", pass: "p" } }, 2],
    ["another password", { servers: ["ws://a", "ws://b"], connection: { user: "u", pass: "q" } }, 2],
    ["no password", { servers: ["ws://a", "ws://b"], connection: { user: "u" } }, 2],
  ])("are %s: %j needs %i connections", async (_, options, connections) => {
    page.nats.hold();
    const one = page.openTogether({ servers: ["ws://a", "ws://b"], connection: { user: "u", pass: "p" } });
    const other = page.openTogether(options);
    const written = [one.store("a", 1), other.store("b", 1)];
    await page.nats.received(2);
    expect(page.nats.open).toBe(connections);
    page.nats.answer();
    expect(await Promise.all(written)).toEqual([true, true]);
  });
});

it("A message to other tabs that cannot be sent keeps no store of the page from learning of a write", async () => {
  const reported = vi.fn<(error: unknown) => void>();
  vi.stubGlobal("reportError", reported);
  const [one, other] = [page.openTogether(), page.openTogether()];
  await one.store("k", 1);
  expect(await other.retrieve("k")).toBe(1);
  const error = new Error("a mistake");
  vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(() => {
    throw error;
  });
  expect(await one.store("k", 2)).toBe(true);
  expect(await other.retrieve("k")).toBe(2);
  // That of the write, and those of its confirmation.
  await one.flush();
  expect(new Set(reported.mock.calls.flat())).toEqual(new Set([error]));
});

it("A closed store dispatches no event of a write that another store of the page makes", async () => {
  const [one, other] = [page.openTogether(), page.openTogether()];
  await one.store("k", 1);
  const events = listen(one);
  await one.close();
  await other.store("k", 2);
  await other.flush();
  expect(events).toEqual([]);
});

it("a store that is created in a `reset` event does not get that event", async () => {
  const one = page.openTogether();
  await one.store("k", 1);
  let resets = 0;
  const renewOnReset = (store: NASKeyStore): void =>
    store.addEventListener("reset", () => {
      resets++;
      if (resets < 5) renewOnReset(page.openTogether());
    });
  renewOnReset(one);
  await destroyNamespace(NAMESPACE);
  expect(await one.retrieve("k", { useCache: false })).toBe(undefined);
  expect(resets).toBe(1);
});

it("a store that closes during an outage gets no `offline` event afterwards", async () => {
  page.nats.dialling = "refuses";
  const one = page.openTogether();
  await one.store("k", 1);
  const late = page.openTogether();
  await late.close();
  const events = listen(late);
  await one.flush();
  await page.clock.advance(0);
  expect(events).toEqual([]);
});
