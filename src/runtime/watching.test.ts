import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import type { PublicChange } from "../model/events.ts";
import { PROTOCOL } from "../tabs/channel.ts";
import type { TabMessage } from "../tabs/messages.ts";
import { codeOf } from "../testing/errors.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { deferred } from "../testing/fake-connection.ts";
import { DATABASE, usePage } from "../testing/stores.ts";
import { KeyStoreError } from "../util/errors.ts";
import { destroyNamespace } from "./destroy-namespace.ts";
import { writeSidePart } from "./runtime.ts";

const page = usePage();

/** What the watches of a store tell, a line for each change. */
function watching(store: NASKeyStore, pattern = "*"): string[] {
  const told: string[] = [];
  store.watch(pattern, ({ source, type, key, version }) => void told.push([source, type, key, version].join(" ").trim()));
  return told;
}

/** Sends a message to the stores as another tab does. */
function tell(message: TabMessage, protocol: unknown = PROTOCOL): void {
  const channel = new BroadcastChannel(DATABASE);
  channel.postMessage({ protocol, ...message });
  channel.close();
}

/** A store that has loaded its write side, and finished the background work of its start. */
async function openQuiet(options?: Parameters<typeof page.open>[0]): Promise<NASKeyStore> {
  const store = page.open(options);
  await store.flush();
  await page.evicted();
  return store;
}

const fire = (type: string): void => void page.events.dispatchEvent(Object.assign(new Event(type), { persisted: true }));

describe("A watch", () => {
  it("gets the changes of its store, of other stores of the page and of other tabs, each from its source", async () => {
    const [store, together] = [page.openTogether(), page.openTogether({ lingerMs: 1 })];
    const tab = page.open();
    const told = watching(store);
    await store.store("k", 1);
    await together.update("k", 2);
    await tab.bulkStore({ k: 3, l: 1 });
    await FakeChannel.delivered();
    await store.delete("k");
    expect(told).toEqual(["local store k 1", "local store k 2", "tab store k 3", "tab store l 1", "local delete k 4"]);
  });

  it("gets expiries that a read or a sweep finds, evictions and clears", async () => {
    const [store, tab] = [await openQuiet({ maxEntries: 2 }), await openQuiet()];
    const [here, there] = [watching(store), watching(tab)];
    await store.bulkStore({ a: 1, b: 1 }, { ttl: 1 });
    await store.flush();
    await page.clock.advance(2_000);
    expect(await store.retrieve("a")).toBeUndefined();
    await store.sweep();
    expect(here.slice(2)).toEqual(["local expire a", "local expire b"]);
    await store.bulkStore({ c: 1, d: 1 });
    await store.flush();
    await page.evicted();
    await store.store("e", 1);
    await page.evicted();
    await tab.clearCache();
    await page.evicted();
    expect(here.slice(4).map((line) => line.replace(/ \d+$/, ""))).toEqual([
      "local store c",
      "local store d",
      "local store e",
      "local evict c",
      "tab clear *",
    ]);
    expect(there.slice(2, 4)).toEqual(["tab expire a", "tab expire b"]);
    expect(there.at(-2)).toBe("tab evict c");
    expect(there.at(-1)).toBe("local clear *");
  });

  it("reads the new value in its listener, whoever made the change", async () => {
    const [store, together, tab] = [page.openTogether(), page.openTogether(), page.open()];
    const reads: Promise<unknown>[] = [];
    store.watch("k", () => void reads.push(store.retrieve("k")));
    for (const [index, writer] of [store, together, tab, store].entries()) {
      // Memory has the value of before.
      await store.retrieve("k");
      await writer.store("k", index);
      await FakeChannel.delivered();
    }
    expect(await Promise.all(reads)).toEqual([0, 1, 2, 3]);
  });

  it("gets a write before its call resolves, also offline", async () => {
    page.nats.dialling = "refuses";
    const store = page.open();
    const told = watching(store);
    expect(await store.store("k", 1)).toBe(false);
    expect(told).toEqual(["local store k 1"]);
  });

  it("gets nothing of a write that fails", async () => {
    const store = page.open();
    const told = watching(store);
    expect(await codeOf(() => store.store("k", 1, { ifVersion: 5 }))).toBe("VERSION_CONFLICT");
    expect(told).toEqual([]);
  });

  it("may write, watch and close in its listener", async () => {
    const store = page.open();
    const other = page.open();
    const told = watching(store, "copy");
    let closing: Promise<void> | undefined;
    store.watch("k", ({ type }) => {
      if (type === "store") void store.store("copy", 1);
      watching(store);
    });
    other.watch("copy", () => void (closing = other.close()));
    await store.store("k", 1);
    await store.flush();
    await FakeChannel.delivered();
    await closing;
    // The second one, because a tab has ended.
    expect(told).toEqual(["local store copy 1", "tab clear copy"]);
    expect(closing).toBeInstanceOf(Promise);
  });
});

/** Occasions of which nobody can say what has changed. */
const OCCASIONS: Readonly<Record<string, (store: NASKeyStore) => unknown>> = {
  "its page returns from the back/forward cache": () => {
    fire("pagehide");
    fire("pageshow");
  },
  "a tab of another version changes something": async () => {
    tell({ type: "hello", pageId: "other" }, PROTOCOL + 1);
    await FakeChannel.delivered();
  },
  "another tab dies": async (store) => {
    const die = await page.locks.take(`${DATABASE}/alive/other`);
    tell({ type: "changes", pageId: "other", changes: [] });
    await FakeChannel.delivered();
    die();
    await store.pendingWrites();
  },
  "the database is deleted": () => destroyNamespace("test"),
  "a write was published of which no message had told": async (store) => {
    await store.retrieve("k");
    tell({ type: "settled", writes: [{ key: "k", version: 9 }], confirmed: true });
    await FakeChannel.delivered();
  },
};

describe("A watch gets one `clear`", () => {
  it.each(Object.entries(OCCASIONS))("when %s", async (_, occasion) => {
    const store = await openQuiet();
    await store.store("k", 1);
    await store.flush();
    const told = [watching(store, "k"), watching(store)];
    await occasion(store);
    expect(told).toEqual([["tab clear k"], ["tab clear *"]]);
  });

  it("when the database is a new one, and after it the event `reset`", async () => {
    const store = await openQuiet();
    await store.store("k", 1);
    await destroyNamespace("test");
    const told = watching(store);
    store.addEventListener("reset", () => told.push("reset"));
    expect(await store.retrieve("k")).toBeUndefined();
    expect(told).toEqual(["tab clear *", "reset"]);
    await store.store("k", 2);
    expect(told.slice(2)).toEqual(["local store k 1"]);
  });

  it("on the return from the back/forward cache, when its page receives messages again, and nothing in the cache", async () => {
    const [store, tab] = [await openQuiet(), await openQuiet()];
    await store.store("k", "old");
    const told = watching(store);
    fire("pagehide");
    await store.store("in the cache", 1);
    await tab.store("k", "new");
    expect(told).toEqual([]);
    const reads: Promise<unknown>[] = [];
    store.watch("k", () => void reads.push(store.retrieve("k")));
    fire("pageshow");
    expect(await Promise.all(reads)).toEqual(["new"]);
    await tab.store("k", "newer");
    await FakeChannel.delivered();
    expect(told).toEqual(["tab clear *", "tab store k 3"]);
  });
});

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

describe("A watch from before the write side has loaded", () => {
  it("misses no change of its store, and learns of changes in other tabs that it was told before", async () => {
    const tab = await openQuiet();
    const load = holdWriteSide();
    const store = page.open();
    const early = watching(store);
    await tab.store("k", 1);
    await FakeChannel.delivered();
    const late = watching(store, "k");
    const storing = store.store("k", 2);
    load();
    await storing;
    await tab.store("k", 3);
    await FakeChannel.delivered();
    expect(early).toEqual(["tab store k 1", "local store k 2", "tab store k 3"]);
    expect(late).toEqual(["local store k 2", "tab store k 3"]);
  });

  it("is told nothing of a tab that opens meanwhile", async () => {
    const load = holdWriteSide();
    const store = page.open();
    const told = watching(store);
    tell({ type: "hello", pageId: "another" });
    await FakeChannel.delivered();
    load();
    await store.store("k", 1);
    expect(told).toEqual(["local store k 1"]);
  });

  it("learns of an expiry that a read found before", async () => {
    const tab = await openQuiet();
    await tab.store("k", 1, { ttl: 1 });
    await tab.flush();
    await page.clock.advance(2_000);
    const load = holdWriteSide();
    const store = page.open();
    const told = watching(store);
    expect(await store.retrieve("k")).toBeUndefined();
    load();
    await store.flush();
    expect(told).toEqual(["local expire k"]);
  });

  it.each(["its function", "its signal", "close"])("never calls its listener when %s ends it before", async (end) => {
    const load = holdWriteSide();
    const [store, other] = [page.openTogether(), page.openTogether()];
    const controller = new AbortController();
    const listener = vi.fn<() => void>();
    const unwatch = store.watch("*", listener, { signal: controller.signal });
    let closing: Promise<void> | undefined;
    if (end === "close") closing = store.close();
    else if (end === "its signal") controller.abort();
    else unwatch();
    load();
    await other.store("k", 1);
    await closing;
    unwatch();
    expect(listener).not.toHaveBeenCalled();
  });

  it("is an iterator that has every change since the call", async () => {
    const load = holdWriteSide();
    const store = page.open();
    const changes = store.watch("*");
    const storing = store.store("k", 1);
    load();
    await storing;
    for await (const change of changes) {
      expect(change).toEqual({ key: "k", type: "store", source: "local", version: 1 });
      break;
    }
  });

  it("is an iterator that rejects STORAGE_UNAVAILABLE when there is no storage, and then is done", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const changes = page.open().watch("*")[Symbol.asyncIterator]();
    expect(await codeOf(() => changes.next())).toBe("STORAGE_UNAVAILABLE");
    expect(await changes.next()).toEqual({ value: undefined, done: true });
  });

  it("is an iterator that rejects STORAGE_UNAVAILABLE when the write side cannot be loaded", async () => {
    vi.spyOn(writeSidePart, "load").mockImplementation(() => Promise.reject(new KeyStoreError("STORAGE_UNAVAILABLE", "no module")));
    const changes = page.open().watch("*")[Symbol.asyncIterator]();
    expect(await codeOf(() => changes.next())).toBe("STORAGE_UNAVAILABLE");
  });
});

describe("close", () => {
  it("ends the watches of its store at once, and those of other stores go on", async () => {
    const [store, other] = [page.openTogether(), page.openTogether()];
    await store.flush();
    const told = [watching(store), watching(other)];
    const iterator = store.watch("*")[Symbol.asyncIterator]();
    const next = iterator.next();
    const writing = store.store("k", 1);
    await store.close();
    expect(await writing).toBe(true);
    expect(told).toEqual([[], ["local store k 1"]]);
    expect([await next, await iterator.next()]).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
    expect(await codeOf(() => store.watch("*"))).toBe("CLOSED");
  });
});

describe("The event `change`", () => {
  it("is dispatched by every store that has ever had a listener, once for each change", async () => {
    const [store, together, tab] = [page.openTogether(), page.openTogether(), page.open()];
    const told: [string, PublicChange][] = [];
    const listener = ({ detail }: CustomEvent<PublicChange>): void => void told.push(["store", detail]);
    store.addEventListener("change", listener);
    store.addEventListener("change", ({ detail }) => void told.push(["store again", detail]));
    tab.addEventListener("change", ({ detail }) => void told.push(["tab", detail]), { once: true });
    const dispatch = vi.spyOn(together, "dispatchEvent");
    await store.bulkStore({ k: 1 });
    await FakeChannel.delivered();
    const detail: PublicChange = { key: "k", type: "store", source: "local", version: 1 };
    expect(told).toEqual([
      ["store", detail],
      ["store again", detail],
      ["tab", { ...detail, source: "tab" }],
    ]);
    store.removeEventListener("change", listener);
    await store.clearCache();
    expect(told.slice(3)).toEqual([["store again", { key: "*", type: "clear", source: "local" }]]);
    expect(dispatch.mock.calls.filter(([event]) => event.type === "change")).toEqual([]);
  });

  it("ends with its store, and a closed store takes listeners without an error", async () => {
    const [store, other] = [page.openTogether(), page.openTogether()];
    const listener = vi.fn<() => void>();
    store.addEventListener("change", listener);
    await store.close();
    store.addEventListener("change", listener);
    await other.store("k", 1);
    expect(listener).not.toHaveBeenCalled();
  });
});
