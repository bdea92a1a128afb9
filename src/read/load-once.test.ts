import { describe, expect, it, vi } from "vitest";
import type { NASKeyStore } from "../key-store.ts";
import type { Load } from "./load-once.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { allRows, fillStorage, loseStorage, openDatabase, putRows } from "../testing/indexeddb.ts";
import { DATABASE, event, listen, usePage } from "../testing/stores.ts";
import { TAKEOVER_MS } from "../tabs/locks.ts";

const page = usePage();

/** A `load` that the test lets end. */
function slowLoad(value: unknown = "loaded") {
  let end!: (value: unknown) => void;
  let fail!: (error: unknown) => void;
  let started!: () => void;
  const start = new Promise<void>((resolve) => (started = resolve));
  const result = new Promise((resolve, reject) => ([end, fail] = [resolve, reject]));
  const signals: AbortSignal[] = [];
  const load = vi.fn<Load>(async (_key: string, { signal }: { signal: AbortSignal }) => {
    signals.push(signal);
    started();
    return result;
  });
  return { load, started: start, signals, end: () => end(value), fail };
}

/** Resolves when another tab waits for the lock of key "k". */
const waited = (): Promise<void> => page.locks.asked(`${DATABASE}/load/k`);

async function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "resolved",
    (error: { code?: string }) => error.code ?? error,
  );
}

describe("retrieveOrStore", () => {
  it("loads an absent key once, stores and publishes the value, and returns it from memory afterwards", async () => {
    const store = page.open();
    const load = vi.fn<() => unknown>(() => ({ at: new Date(0) }));
    const options = { ttl: 60, tags: ["t"] };
    const first = await store.retrieveOrStore<unknown>("k", load, options);
    expect(first).toEqual({ at: "1970-01-01T00:00:00.000Z" });
    const second = await store.retrieveOrStore<unknown>("k", load, options);
    expect(second).toEqual(first);
    expect(second).not.toBe(first);
    expect(load).toHaveBeenCalledTimes(1);
    expect(load).toHaveBeenCalledWith("k", { signal: expect.any(AbortSignal) });
    expect(await store.getMetadata("k")).toMatchObject({ ttl: 60, tags: ["t"], version: 1 });
    await page.nats.receivedOf("k");
    expect(store.getCacheStats()).toMatchObject({ hits: 1 });
  });

  it.each([[null], [0], [""], [false]])("takes %j for a value", async (value) => {
    const store = page.open();
    const load = vi.fn<() => unknown>(() => value);
    expect([await store.retrieveOrStore("k", load), await store.retrieveOrStore("k", load)]).toEqual([value, value]);
    expect(await page.open().retrieveOrStore("k", load)).toEqual(value);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it.each(["json", "text", "binary", "structured"] as const)("refuses undefined in the format %s, and stores nothing", async (format) => {
    const store = page.open();
    expect(await code(store.retrieveOrStore("k", () => undefined, { format }))).toBe("INVALID_VALUE");
    expect(await store.exists("k")).toBe(false);
  });

  it("rejects a value that cannot be encoded or is too large", async () => {
    const store = page.open({ maxPayloadBytes: 1_000 });
    expect(await code(store.retrieveOrStore("k", () => new Map()))).toBe("INVALID_VALUE");
    expect(await code(store.retrieveOrStore("k", () => "x".repeat(2_000)))).toBe("PAYLOAD_TOO_LARGE");
    expect(await store.exists("k")).toBe(false);
  });

  it("resolves before the server has confirmed the write, and close waits for that", async () => {
    page.nats.hold();
    const store = page.open();
    expect(await store.retrieveOrStore("k", () => 1)).toBe(1);
    let isClosed = false;
    const closing = store.close().then(() => (isClosed = true));
    await page.clock.advance(0);
    expect(isClosed).toBe(false);
    page.nats.answer();
    await closing;
    expect(page.nats.of("k")).toHaveLength(1);
  });

  it("sees earlier writes of the store", async () => {
    const store = page.open();
    const load = vi.fn<() => unknown>(() => "loaded");
    void store.store("k", "stored");
    expect(await store.retrieveOrStore("k", load)).toBe("stored");
    void store.delete("k");
    expect(await store.retrieveOrStore("k", load)).toBe("loaded");
  });

  it("loads a damaged entry again, with a corrupt event, and replaces it", async () => {
    const writer = page.open();
    await writer.store("k", 1);
    const database = openDatabase(DATABASE);
    const row = (await allRows(database))["k"];
    await putRows(database, { k: { ...row, payload: "2", keys: "k" } });
    const store = page.open();
    const heard = listen(store);
    expect(await store.retrieveOrStore("k", () => "loaded")).toBe("loaded");
    expect(heard.some(({ type }) => type === "corrupt")).toBe(true);
    expect(await page.open().retrieve("k")).toBe("loaded");
    database.close();
  });

  it("returns a value that a full disk does not take", async () => {
    const store = page.open();
    await store.exists("k");
    const empty = fillStorage();
    expect(await store.retrieveOrStore("k", () => "loaded")).toBe("loaded");
    empty();
    expect(await store.exists("k")).toBe(false);
  });

  it("returns a value whose message the server refuses: it is committed", async () => {
    page.nats.denies = () => true;
    const store = page.open();
    expect(await store.retrieveOrStore("k", () => "loaded")).toBe("loaded");
    expect(await store.retrieve("k")).toBe("loaded");
    await event(store, "rejected");
  });

  it("returns the loaded value when the database is lost", async () => {
    const store = page.open();
    await store.exists("k");
    const find = loseStorage();
    expect(await store.retrieveOrStore("k", () => "loaded")).toBe("loaded");
    find();
    expect(await store.exists("k")).toBe(false);
  });

  it("rejects a load that is no function, also when memory has the value", async () => {
    const store = page.open();
    await store.store("k", 1);
    await expect(store.retrieveOrStore("k", 1 as never)).rejects.toMatchObject({ code: "INVALID_OPTION", option: "load", key: "k" });
  });
});

describe("Concurrent calls of a page", () => {
  it("load once, also through several stores, and each gets a copy of its own", async () => {
    const [one, other] = [page.openTogether(), page.openTogether()];
    const { load, started, end } = slowLoad({ a: 1 });
    const calls = [one, one, other].map((store) => store.retrieveOrStore("k", load));
    await started;
    end();
    const values = await Promise.all(calls);
    expect(values).toEqual([{ a: 1 }, { a: 1 }, { a: 1 }]);
    expect(new Set(values).size).toBe(3);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("reject with the error of the load, which stores nothing, and the next call loads again", async () => {
    const store = page.open();
    const { load, started, fail } = slowLoad();
    const calls = [1, 2].map(() => code(store.retrieveOrStore("k", load)));
    await started;
    const error = new Error("no network");
    fail(error);
    expect(await Promise.all(calls)).toEqual([error, error]);
    expect(await store.exists("k")).toBe(false);
    expect(await store.retrieveOrStore("k", () => 2)).toBe(2);
  });

  it("end one by one when their signals are aborted, and the last one ends the load", async () => {
    const store = page.open();
    const { load, started, signals, end } = slowLoad();
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => code(store.retrieveOrStore("k", load, { signal })));
    await started;
    controllers[0]!.abort("first");
    expect(await calls[0]).toBe("first");
    expect(signals[0]!.aborted).toBe(false);
    controllers[1]!.abort("second");
    expect(await calls[1]).toBe("second");
    expect(signals[0]!.reason).toBe("second");
    // A load that ignores its signal.
    end();
    await page.clock.advance(0);
    expect(await store.exists("k")).toBe(false);
    expect(await store.retrieveOrStore("k", () => "again")).toBe("again");
  });

  it("go on when a call without a signal waits too", async () => {
    const store = page.open();
    const { load, started, signals, end } = slowLoad();
    const controller = new AbortController();
    const calls = [code(store.retrieveOrStore("k", load, { signal: controller.signal })), store.retrieveOrStore("k", load)];
    await started;
    controller.abort();
    await calls[0];
    expect(signals[0]!.aborted).toBe(false);
    end();
    expect(await calls[1]).toBe("loaded");
  });

  it("are waited for by close, also when they wait for a load of another store", async () => {
    const [one, other] = [page.openTogether(), page.openTogether()];
    const { load, started, end } = slowLoad();
    const controller = new AbortController();
    const own = code(one.retrieveOrStore("k", load, { signal: controller.signal }));
    await started;
    const joined = other.retrieveOrStore("k", load);
    await other.exists("k");
    controller.abort("gone");
    expect(await own).toBe("gone");
    const closing = one.close();
    end();
    expect(await joined).toBe("loaded");
    await closing;
    expect(await other.retrieve("k")).toBe("loaded");
  });
});

describe("A change of the key during the load stays:", () => {
  const changes: readonly [name: string, change: (store: NASKeyStore) => Promise<unknown>, result: unknown, after: unknown][] = [
    ["a store", (store) => store.store("k", "newer"), "newer", "newer"],
    ["a delete", (store) => store.delete("k"), "loaded", undefined],
    ["clearCache", (store) => store.clearCache(), "loaded", undefined],
  ];
  const invalidations: typeof changes = [
    ["an invalidation of its key", (store) => store.invalidate({ pattern: "k" }), "loaded", undefined],
    ["an invalidation of its tag", (store) => store.invalidate({ tag: "t" }), "loaded", undefined],
  ];
  for (const isOther of [false, true]) {
    it.each(changes)(`%s in ${isOther ? "another" : "this"} tab`, async (_, change, result, after) => {
      const store = page.open();
      const { load, started, end } = slowLoad();
      const call = store.retrieveOrStore("k", load);
      await started;
      await change(isOther ? page.open() : store);
      await page.clock.advance(0);
      end();
      expect(await call).toBe(result);
      expect(await store.retrieve("k")).toBe(after);
    });
  }

  it.each(changes.slice(0, 1))("%s, so that the version which the call expects is no longer there", async (_, change, result) => {
    const store = page.open();
    const { load, started, end } = slowLoad();
    const call = store.retrieveOrStore("k", load, { ifVersion: 0 });
    await started;
    await change(store);
    end();
    expect(await code(call)).toBe("VERSION_CONFLICT");
    expect(await store.retrieve("k")).toBe(result);
  });

  it.each(invalidations)("%s, which has no entry yet", async (_, change, result, after) => {
    const store = page.open();
    const { load, started, end } = slowLoad();
    const call = store.retrieveOrStore("k", load, { tags: ["t"] });
    await started;
    await change(store);
    end();
    expect(await call).toBe(result);
    expect(await store.retrieve("k")).toBe(after);
  });

  it("an invalidation in another tab, which comes while the value is hashed", async () => {
    const [store, other] = [page.open(), page.open()];
    const { digest } = crypto.subtle;
    vi.spyOn(crypto.subtle, "digest").mockImplementationOnce(async (...given) => {
      await other.invalidate({ pattern: "k" });
      await FakeChannel.delivered();
      return digest(...given);
    });
    const large = "x".repeat(2_000);
    expect(await store.retrieveOrStore("k", () => large, { ifVersion: 0 })).toBe(large);
    expect(await store.exists("k")).toBe(false);
  });

  it("a write by load itself", async () => {
    const store = page.open();
    const value = await store.retrieveOrStore<unknown>("k", async () => {
      await store.store("k", "by load");
      return "returned";
    });
    expect(value).toBe("by load");
  });
});

describe("Calls in several tabs", () => {
  it("load once: the others find the value when they get the lock", async () => {
    const tabs = [page.open(), page.open(), page.open()];
    const { load, started, end } = slowLoad();
    const calls = tabs.map((tab) => tab.retrieveOrStore("k", load));
    await started;
    await waited();
    end();
    expect(await Promise.all(calls)).toEqual(["loaded", "loaded", "loaded"]);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("load themselves after the load of another tab has failed", async () => {
    const [one, other] = [page.open(), page.open()];
    const failing = slowLoad();
    const failed = code(one.retrieveOrStore("k", failing.load));
    await failing.started;
    const call = other.retrieveOrStore("k", () => "second");
    await waited();
    failing.fail("no");
    expect([await failed, await call]).toEqual(["no", "second"]);
  });

  it("store what they have loaded, although the key changed while they waited for the load of another tab", async () => {
    const [one, other] = [page.open(), page.open()];
    const failing = slowLoad();
    const failed = code(one.retrieveOrStore("k", failing.load));
    await failing.started;
    const call = other.retrieveOrStore("k", () => "second");
    await waited();
    await one.store("k", "between");
    await one.delete("k");
    await FakeChannel.delivered();
    failing.fail("no");
    expect([await failed, await call]).toEqual(["no", "second"]);
    expect(await other.retrieve("k")).toBe("second");
  });

  it("take over from a tab that is paused, whose value does not replace the newer one", async () => {
    const [paused, other] = [page.open(), page.open()];
    const slow = slowLoad("old");
    const call = paused.retrieveOrStore("k", slow.load);
    await slow.started;
    const taken = other.retrieveOrStore("k", () => "new");
    await waited();
    await page.clock.advance(TAKEOVER_MS);
    expect(await taken).toBe("new");
    slow.end();
    expect(await call).toBe("new");
    expect(await paused.retrieve("k")).toBe("new");
  });
});

describe("A stale entry", () => {
  it("is loaded again, and is no longer stale", async () => {
    const store = page.open();
    await store.store("k", "old");
    await store.invalidate({ pattern: "k" });
    expect(await store.retrieve("k")).toBe("old");
    expect(await store.retrieveOrStore("k", () => "new")).toBe("new");
    expect(await store.getMetadata("k")).toMatchObject({ stale: false, version: 2 });
    expect(await store.retrieveOrStore("k", () => "newer")).toBe("new");
  });

  it("is loaded again by another tab that has it in memory", async () => {
    const [store, other] = [page.open(), page.open()];
    await store.store("k", "old");
    expect(await other.retrieveOrStore("k", () => "new")).toBe("old");
    await store.invalidate({ pattern: "k" });
    expect(await other.retrieveOrStore("k", () => "new")).toBe("new");
  });

  it("is returned at once with staleWhileRevalidate, while it is loaded in the background", async () => {
    const store = page.open();
    await store.store("k", "old");
    await store.invalidate({ pattern: "k" });
    const load = vi.fn<() => unknown>(() => "new");
    const options = { staleWhileRevalidate: 60 };
    expect(await store.retrieveOrStore("k", load, options)).toBe("old");
    await page.locks.free(`${DATABASE}/load/k`);
    expect(await store.retrieveOrStore("k", load, options)).toBe("new");
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("stays stale when it is invalidated once more during the load", async () => {
    const store = page.open();
    await store.store("k", "old");
    await store.invalidate({ pattern: "k" });
    const { load, started, end } = slowLoad();
    const call = store.retrieveOrStore("k", load);
    await started;
    await store.invalidate({ pattern: "*" });
    end();
    expect(await call).toBe("loaded");
    expect(await store.getMetadata("k")).toMatchObject({ stale: true, version: 1 });
  });

  it("is replaced although it expires during the load", async () => {
    const store = page.open();
    await store.store("k", "old", { ttl: 60 });
    await store.invalidate({ pattern: "k" });
    const { load, started, end } = slowLoad();
    const call = store.retrieveOrStore("k", load);
    await started;
    page.clock.wallTime += 61_000;
    end();
    expect(await call).toBe("loaded");
    expect(await store.retrieve("k")).toBe("loaded");
  });
});
