import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { details, nextEvent } from "../support/events.ts";
import { published } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";

const NOW = Date.UTC(2030, 0, 1);
const OPTIONS = { ttl: 60, staleWhileRevalidate: 300 };

/** A `load` that counts its calls, and ends when the case lets it. */
function slowLoad(value: unknown) {
  let end!: (value: unknown) => void;
  let fail!: (error: unknown) => void;
  let start!: (signal: AbortSignal) => void;
  const ended = new Promise((resolve, reject) => ([end, fail] = [resolve, reject]));
  const started = new Promise<AbortSignal>((resolve) => (start = resolve));
  const loading = {
    calls: 0,
    started,
    end: () => end(value),
    fail,
    load: (_key: string, { signal }: { signal: AbortSignal }): Promise<unknown> => {
      loading.calls++;
      start(signal);
      return ended;
    },
  };
  return loading;
}

/** The promises of `retrieveOrStore`. */
export const loadOnce: readonly ContractCase[] = [
  {
    title: "retrieveOrStore loads an absent key, stores and publishes the value, and returns it as retrieve does",
    run: async ({ openStore, server }) => {
      const store = openStore();
      const value = await store.retrieveOrStore<unknown>("k", (key) => ({ key, at: new Date(0) }), { tags: ["t"] });
      const stored = { key: "k", at: "1970-01-01T00:00:00.000Z" };
      assert.deepEqual(value, stored);
      const again = await store.retrieveOrStore<unknown>("k", () => assert.fail("memory has the value"));
      assert.deepEqual(again, stored);
      assert.notStrictEqual(again, value);
      assert.deepEqual(await openStore().retrieve("k"), stored);
      assert.deepEqual(await store.listKeys("*", { tag: "t" }), ["k"]);
      const [message] = await server.waitForMessages(1);
      assert.equal(message?.envelope?.key, "k");
    },
  },
  {
    title: "retrieveOrStore takes null, 0, the empty string and false for values, and refuses undefined",
    run: async ({ openStore }) => {
      const store = openStore();
      for (const value of [null, 0, "", false]) {
        const key = `k${String(value)}`;
        assert.strictEqual<unknown>(await store.retrieveOrStore<unknown>(key, () => value), value);
        assert.strictEqual<unknown>(await openStore().retrieveOrStore<unknown>(key, () => assert.fail("it is stored")), value);
      }
      for (const format of ["json", "structured"] as const) {
        assert.equal(
          (
            await assertRejects(
              store.retrieveOrStore("absent", () => undefined, { format }),
              "INVALID_VALUE",
            )
          ).key,
          "absent",
        );
      }
      assert.isFalse(await store.exists("absent"));
    },
  },
  {
    title: "retrieveOrStore with an invalid load or option rejects INVALID_OPTION and names it, also for a key in memory",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      const wrong: readonly [load: unknown, options: object, option: string][] = [
        [1, {}, "load"],
        [() => 1, { staleWhileRevalidate: 0 }, "staleWhileRevalidate"],
        [() => 1, { staleWhileRevalidate: "1" }, "staleWhileRevalidate"],
        [() => 1, { ifVersion: -1 }, "ifVersion"],
        [() => 1, { ifRevision: 1 }, "ifRevision"],
      ];
      for (const [load, options, option] of wrong) {
        assert.equal((await assertRejects(store.retrieveOrStore("k", load as () => 1, options), "INVALID_OPTION")).option, option);
      }
    },
  },
  {
    title: "retrieveOrStore with ifVersion compares the version when it stores a loaded value, and not when it returns a present one",
    run: async ({ openStore }) => {
      const store = openStore();
      const expecting = (ifVersion: number) => store.retrieveOrStore<unknown>("k", () => `expected ${ifVersion}`, { ifVersion });
      assert.equal((await assertRejects(expecting(1), "VERSION_CONFLICT")).key, "k");
      assert.isFalse(await store.exists("k"));
      assert.equal(await expecting(0), "expected 0");
      assert.equal(await expecting(7), "expected 0");
      await store.invalidate({ pattern: "k" });
      await assertRejects(expecting(0), "VERSION_CONFLICT");
      assert.equal(await expecting(1), "expected 1");
      assert.equal((await store.getMetadata("k"))?.version, 2);
    },
  },
  {
    title: "Concurrent retrieveOrStore calls of the stores of a page load once, and each gets a copy of its own",
    run: async ({ openStore }) => {
      const loading = slowLoad({ a: 1 });
      const stores = [openStore(), openStore()];
      const calls = Array.from({ length: 250 }, (_, n) => stores[n % 2]!.retrieveOrStore("k", loading.load));
      await loading.started;
      loading.end();
      const values = await Promise.all(calls);
      assert.equal(new Set(values).size, 250);
      for (const value of values) assert.deepEqual(value, { a: 1 });
      assert.equal(loading.calls, 1);
    },
  },
  {
    title: "A load that fails rejects every call that waits with its error, and stores nothing",
    run: async ({ openStore }) => {
      const store = openStore();
      const loading = slowLoad(1);
      const calls = [1, 2, 3].map(() => rejection(store.retrieveOrStore("k", loading.load)));
      await loading.started;
      const error = new Error("no network");
      loading.fail(error);
      for (const call of calls) assert.strictEqual<unknown>(await call, error);
      assert.isFalse(await store.exists("k"));
      assert.equal(await store.retrieveOrStore("k", () => 2), 2);
    },
  },
  {
    title: "An abort ends the caller's own wait; the abort of the last caller ends the load, whose value is not stored",
    run: async ({ openStore }) => {
      const store = openStore();
      const loading = slowLoad(1);
      const [first, last] = [new AbortController(), new AbortController()];
      const calls = [first, last].map(({ signal }) => rejection(store.retrieveOrStore("k", loading.load, { signal })));
      const signal = await loading.started;
      const reasons = [new Error("first"), new Error("last")];
      first.abort(reasons[0]);
      assert.strictEqual<unknown>(await calls[0], reasons[0]);
      assert.isFalse(signal.aborted);
      last.abort(reasons[1]);
      assert.strictEqual<unknown>(await calls[1], reasons[1]);
      assert.strictEqual<unknown>(signal.reason, reasons[1]);
      loading.end();
      assert.equal(await store.retrieveOrStore("k", () => "again"), "again");
    },
  },
  {
    title: "Offline, retrieveOrStore resolves when the value is committed, and it is published later",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      assert.equal(await store.retrieveOrStore("k", () => 1), 1);
      assert.equal(await openStore().retrieve("k"), 1);
      await server.restore();
      await untilPublished(store);
      assert.deepEqual(await published(server), [{ key: "k", version: 1, value: "1" }]);
    },
  },
  {
    title: "A hanging server does not delay retrieveOrStore",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.hang();
      assert.equal(await openStore({ timeoutMs: 60_000 }).retrieveOrStore("k", () => 1), 1);
      await server.restore();
    },
  },
  {
    title: "A value that was stored while load ran stays, and a key that was deleted stays absent",
    run: async ({ openStore, openTab }) => {
      for (const writer of [openStore(), openStore(), await openTab()]) {
        const store = openStore();
        const storing = slowLoad("loaded");
        const stored = store.retrieveOrStore("stored", storing.load);
        await storing.started;
        await writer.store("stored", "newer");
        storing.end();
        assert.equal(await stored, "newer");
        assert.equal(await store.retrieve("stored"), "newer");
        await writer.delete("stored");
      }
      const store = openStore();
      const loading = slowLoad("loaded");
      const call = store.retrieveOrStore("deleted", loading.load);
      await loading.started;
      await store.delete("deleted");
      loading.end();
      assert.equal(await call, "loaded");
      assert.isFalse(await store.exists("deleted"));
    },
  },
  {
    title: "A damaged entry is loaded again, with a `corrupt` event",
    run: async ({ openStore, database }) => {
      await openStore().store("k", "value");
      await database.flipBit("k");
      const store = openStore();
      const corrupt = details(store, "corrupt");
      assert.equal(await store.retrieveOrStore("k", () => "loaded"), "loaded");
      assert.isNotEmpty(corrupt);
      assert.equal(await openStore().retrieve("k"), "loaded");
    },
  },
  {
    title: "close waits for calls of retrieveOrStore",
    run: async ({ openStore }) => {
      const store = openStore();
      const loading = slowLoad("loaded");
      const call = store.retrieveOrStore("k", loading.load);
      await loading.started;
      const closing = store.close();
      loading.end();
      assert.equal(await call, "loaded");
      await closing;
      await assertRejects(store.retrieveOrStore("k", loading.load), "CLOSED");
      assert.equal(await openStore().retrieve("k"), "loaded");
    },
  },
  {
    title: "Concurrent retrieveOrStore calls of several tabs load once",
    run: async ({ openTab, openStore, server }) => {
      const tabs = await Promise.all([openTab(), openTab(), openTab()]);
      const calls = Array.from({ length: 60 }, (_, n) => tabs[n % 3]!.load("k", `tab ${n % 3}`));
      assert.equal(new Set(await Promise.all(calls)).size, 1);
      await untilPublished(openStore());
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "When the tab that loads is killed, another one loads",
    kills: true,
    run: async ({ openStore, openTab, namespace }) => {
      const tab = await openTab();
      void tab.load("k", "never ends").catch(() => undefined);
      const name = `nas-keystore/${namespace}/load/k`;
      await until("the tab loads", async () => (await navigator.locks.query()).held?.some((lock) => lock.name === name) === true);
      const store = openStore();
      const calls = [1, 2].map(() => store.retrieveOrStore("k", () => "loaded"));
      await until("the store waits", async () => (await navigator.locks.query()).pending?.some((lock) => lock.name === name) === true);
      await tab.kill();
      assert.deepEqual(await Promise.all(calls), ["loaded", "loaded"]);
    },
  },
  {
    title: "retrieveOrStore loads an expired entry again",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      assert.equal(await store.retrieveOrStore("k", () => "old", { ttl: 60 }), "old");
      setClock(NOW + 60_000);
      assert.equal(await store.retrieveOrStore("k", () => "new", OPTIONS), "new");
    },
  },
  {
    title: "staleWhileRevalidate returns an expired value at once and refreshes it; for every other operation the entry is absent",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.retrieveOrStore("k", () => "old", OPTIONS);
      await untilPublished(store);
      setClock(NOW + 60_000);
      for (const reader of [store, openStore()]) {
        assert.isUndefined(await reader.retrieve("k"));
        assert.isFalse(await reader.exists("k"));
        assert.isUndefined(await reader.getMetadata("k"));
        assert.deepEqual(await reader.listKeys(), []);
        assert.deepEqual(await reader.bulkRetrieve(["k"]), new Map());
        assert.equal((await reader.getStorageStats()).entries, 0);
        assert.equal(await reader.sweep(), 0);
      }
      setClock(NOW);
      assert.isUndefined(await openStore().retrieve("k"), "the clock went back");
      setClock(NOW + 359_000);
      const refreshed = nextEvent(store, "published");
      const loading = slowLoad("new");
      for (let call = 1; call <= 3; call++) assert.equal(await store.retrieveOrStore("k", loading.load, OPTIONS), "old");
      loading.end();
      await refreshed;
      assert.equal(loading.calls, 1);
      assert.equal(await store.retrieveOrStore("k", loading.load, OPTIONS), "new");
    },
  },
  {
    title: "A sweep removes an expired entry once its staleWhileRevalidate has passed, and retrieveOrStore then waits for the load",
    run: async ({ openStore, setClock, database }) => {
      setClock(NOW);
      const store = openStore();
      await store.retrieveOrStore("k", () => "old", OPTIONS);
      await untilPublished(store);
      setClock(NOW + 359_999);
      assert.equal(await store.sweep(), 0);
      assert.deepEqual(await database.keys(), ["k"]);
      setClock(NOW + 360_000);
      assert.equal(await store.sweep(), 1);
      assert.deepEqual(await database.keys(), []);
      assert.equal(await store.retrieveOrStore("k", () => "new", OPTIONS), "new");
    },
  },
];
