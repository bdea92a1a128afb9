import { assert } from "chai";
import type { KeyStoreError, KeyStoreErrorCode, KeyStoreEvents, NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { lineOf, take, watched } from "../support/changes.ts";
import { details } from "../support/events.ts";
import { until } from "../support/waiting.ts";

const NOW = Date.UTC(2030, 0, 1);

/** Calls of `watch` that must not compile, by the option that their error names. */
const MISTAKES: readonly (readonly [call: (store: NASKeyStore) => unknown, option: string | undefined])[] = [
  [(store) => store.watch(5 as never), "pattern"],
  [(store) => store.watch(undefined as never, () => undefined), "pattern"],
  [(store) => store.watch(/k/ as never, () => undefined), "pattern"],
  [(store) => store.watch("k", "listener" as never), undefined],
  [(store) => store.watch("k", null as never), undefined],
  [(store) => store.watch("k", { handleEvent: () => undefined } as never), "handleEvent"],
  [(store) => store.watch("k", () => undefined, { once: true } as never), "once"],
  [(store) => store.watch("k", () => undefined, { signal: new AbortController() as never }), "signal"],
  [(store) => store.watch("k", { signal: true as never }), "signal"],
];

/** Fails unless the call throws a KeyStoreError of this code. */
function assertThrows(call: () => unknown, code: KeyStoreErrorCode): KeyStoreError {
  try {
    call();
  } catch (error) {
    assert.equal((error as KeyStoreError).name, "KeyStoreError");
    assert.equal((error as KeyStoreError).code, code);
    return error as KeyStoreError;
  }
  return assert.fail("The call did not throw.");
}

export const watch: readonly ContractCase[] = [
  {
    title: "watch reports each write of its store, with its version, before the call resolves",
    run: async ({ openStore }) => {
      const store = openStore();
      const told = watched(store);
      await store.store("k", 1);
      assert.deepEqual(told, ["local store k 1"]);
      await store.update("k", 2);
      await store.bulkStore({ k: 3, l: 3 });
      await store.delete("k");
      await store.delete("absent");
      assert.deepEqual(told.slice(1), [
        "local store k 2",
        "local store k 3",
        "local store l 1",
        "local delete k 4",
        "local delete absent 1",
      ]);
    },
  },
  {
    title: "watch reports writes that are queued while the server cannot be reached, and nothing when they are published",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      const told = watched(store);
      assert.isFalse(await store.store("k", 1));
      await server.restore();
      await store.flush();
      assert.deepEqual(told, ["local store k 1"]);
    },
  },
  {
    title: "watch reports writes of other stores of the page as local, and writes of other tabs as those of a tab",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const told = watched(store);
      const tab = await openTab();
      await openStore({ lingerMs: 1 }).store("k", 1);
      await tab.store("k", 2);
      await until("the store knows the write", () => told.length === 2);
      await tab.delete("k");
      await until("the store knows the delete", () => told.length === 3);
      assert.deepEqual(told, ["local store k 1", "tab store k 2", "tab delete k 3"]);
    },
  },
  {
    title: "watch reports entries that a read or a sweep finds expired, in every tab",
    run: async ({ openStore, openTab, setClock }) => {
      setClock(NOW);
      const store = openStore();
      const tab = await openTab();
      await store.bulkStore({ read: 1, swept: 1 }, { ttl: 1 });
      const told = watched(store, "*e*");
      setClock(NOW + 1_000);
      assert.isUndefined(await store.retrieve("read"));
      assert.deepEqual(told, ["local expire read"]);
      await store.sweep();
      assert.deepEqual(told, ["local expire read", "local expire swept"]);
      assert.isFalse(await tab.exists("swept"));
    },
  },
  {
    title: "watch reports evicted entries, and clearCache in another tab with its own pattern as the key",
    run: async ({ openStore, openTab }) => {
      const store = openStore({ maxEntries: 2 });
      const tab = await openTab();
      const [all, one] = [watched(store), watched(store, "b")];
      for (const key of ["a", "b", "c"]) await store.store(key, 1);
      await until("an entry is evicted", () => all.length === 4);
      assert.deepEqual(all.slice(3), ["local evict a"]);
      assert.lengthOf(await store.pendingWrites(), 0);
      await tab.clearCache();
      await until("the store knows that the entries are gone", () => all.length > 4);
      assert.deepEqual(all.slice(4), ["tab clear *"]);
      assert.deepEqual(one, ["local store b 1", "tab clear b"]);
    },
  },
  {
    title: "watch reports entries that were marked as stale, in every tab, and nothing when their expiry changes",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.bulkStore({ a: 1, b: 1 });
      const told = watched(store);
      assert.isTrue(await store.touch("a", 60));
      await store.invalidate({ pattern: "a" });
      assert.deepEqual(told, ["local invalidate a 1"]);
      await tab.touch("b", 60);
      await tab.invalidate({ pattern: "*" });
      await until("the store knows that the entries are stale", () => told.includes("tab invalidate b 1"));
      assert.isEmpty(told.filter((line) => !line.includes("invalidate")));
    },
  },
  {
    title: "watch gets the changes of the keys that match its pattern, which is that of listKeys",
    run: async ({ openStore }) => {
      const store = openStore();
      const keys = ["user:1", "user:12", "user", "a*", "ab", "[x", "é"];
      const patterns = ["user:1", "user:*", "user:?", "a[*]", "a*", "[x", "[!u]*", "?", "", "*"];
      const told = patterns.map((pattern) => watched(store, pattern));
      await store.bulkStore(Object.fromEntries(keys.map((key) => [key, 1])));
      for (const [index, pattern] of patterns.entries()) {
        const listed = await store.listKeys(pattern);
        assert.sameMembers(
          told[index]!,
          listed.map((key) => `local store ${key} 1`),
          pattern,
        );
      }
    },
  },
  {
    title: "A listener of watch gets a frozen object with key, type, source and version only",
    run: async ({ openStore }) => {
      const store = openStore();
      const changes: KeyStoreEvents["change"][] = [];
      store.watch("*", (change) => changes.push(change));
      await store.store("k", { secret: "value" }, { tags: ["t"] });
      await store.clearCache();
      assert.deepEqual(changes, [
        { key: "k", type: "store", source: "local", version: 1 },
        { key: "*", type: "clear", source: "local" },
      ]);
      assert.isTrue(changes.every((change) => Object.isFrozen(change)));
    },
  },
  {
    title: "retrieve in a listener of watch returns the new value, whoever wrote it",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      const reads: Promise<unknown>[] = [];
      store.watch("k", () => reads.push(store.retrieve("k")));
      for (const [index, writer] of [store, openStore(), tab, store].entries()) {
        await writer.store("k", index);
        await until("the store knows the write", () => reads.length === index + 1);
        await store.retrieve("k");
      }
      assert.deepEqual(await Promise.all(reads), [0, 1, 2, 3]);
    },
  },
  {
    title:
      "The versions of a key rise from one change to the next when three tabs write it at the same time, and the last one is the newest",
    run: async ({ openStore, openTab }) => {
      const stores = [openStore(), await openTab(), await openTab()];
      const versions: (number | undefined)[] = [];
      (stores[0] as NASKeyStore).watch("k", ({ version }) => versions.push(version));
      await Promise.all(
        stores.map(async (store, index) => {
          for (let round = 0; round < 10; round++) await store.store("k", index);
        }),
      );
      await until("the newest version arrives", () => versions.at(-1) === 30);
      assert.deepEqual(
        versions,
        [...new Set(versions)].toSorted((a, b) => Number(a) - Number(b)),
      );
    },
  },
  {
    title: "The function that watch returns ends that watch alone, and so does its signal",
    run: async ({ openStore }) => {
      const store = openStore();
      const told: string[] = [];
      const controller = new AbortController();
      const { signal } = controller;
      const ends = ["a", "b"].map((name) => store.watch("k", ({ version }) => told.push(`${name}${version}`), { signal }));
      store.watch("k", () => told.push("never"), { signal: AbortSignal.abort() });
      await store.store("k", 1);
      ends[0]?.();
      ends[0]?.();
      await store.store("k", 2);
      controller.abort();
      await store.store("k", 3);
      assert.deepEqual(told, ["a1", "b1", "b2"]);
    },
  },
  {
    title: "An error of a listener of watch is reported, and disturbs neither the write nor other listeners",
    run: async ({ openStore }) => {
      const store = openStore();
      const realm = globalThis as { reportError?: unknown };
      const { reportError } = realm;
      const reported: unknown[] = [];
      const error = new Error("of the app");
      realm.reportError = (thrown: unknown) => reported.push(thrown);
      try {
        store.watch("k", () => {
          throw error;
        });
        const told = watched(store, "k");
        assert.isTrue(await store.store("k", 1));
        assert.deepEqual(told, ["local store k 1"]);
        assert.deepEqual(reported, [error]);
      } finally {
        realm.reportError = reportError;
      }
    },
  },
  {
    title: "A listener of watch may write, watch, end watches and close its store",
    run: async ({ openStore }) => {
      const store = openStore();
      const told = watched(store, "copy");
      let end = (): void => undefined;
      let closing: Promise<void> | undefined;
      end = store.watch("k", () => {
        end();
        void store.store("copy", 1);
        store.watch("copy", () => void (closing = store.close()));
      });
      assert.isTrue(await store.store("k", 1));
      await until("the listener closes the store", () => closing !== undefined);
      await closing;
      assert.deepEqual(told, ["local store copy 1"]);
    },
  },
  {
    title: "watch without a listener is an async iterator of the changes since the call; leaving the loop ends it",
    run: async ({ openStore }) => {
      const store = openStore();
      const changes = store.watch("k*");
      await store.bulkStore({ k1: 1, other: 1, k2: 1 });
      void store.delete("k1");
      assert.deepEqual(await take(changes, 3), ["local store k1 1", "local store k2 1", "local delete k1 2"]);
      await store.store("k1", 1);
      assert.deepEqual(await take(changes, 1), []);
    },
  },
  {
    title: "The iterator of watch ends by its signal and by close, also while a consumer waits",
    run: async ({ openStore }) => {
      const store = openStore();
      const controller = new AbortController();
      const waiting = [take(store.watch("*", { signal: controller.signal }), 9), take(store.watch("*"), 9)];
      await store.store("k", 1);
      controller.abort();
      assert.deepEqual(await waiting[0], ["local store k 1"]);
      await store.store("k", 2);
      await store.close();
      assert.deepEqual(await waiting[1], ["local store k 1", "local store k 2"]);
      assert.deepEqual(await take(openStore().watch("*", { signal: AbortSignal.abort() }), 1), []);
    },
  },
  {
    title: "When more than 1,000 changes wait for the iterator of watch, one `clear` replaces them",
    run: async ({ openStore }) => {
      const store = openStore();
      const changes = store.watch("k*");
      const items = Array.from({ length: 1_001 }, (_, n) => [`k${n}`, n] as const);
      await store.bulkStore(items.slice(1));
      await store.bulkStore(items.slice(0, 1));
      await store.store("k1", 1);
      assert.deepEqual(await take(changes, 2), ["local clear k*", "local store k1 2"]);
    },
  },
  {
    title: "watch throws INVALID_OPTION at once for an invalid pattern, listener or option, and CLOSED after close",
    run: async ({ openStore }) => {
      const fresh = openStore();
      for (const [call, option] of MISTAKES) assert.equal(assertThrows(() => call(fresh), "INVALID_OPTION").option, option);
      await fresh.flush();
      for (const [call, option] of MISTAKES) assert.equal(assertThrows(() => call(fresh), "INVALID_OPTION").option, option);
      void fresh.close();
      for (const [call] of MISTAKES) assertThrows(() => call(fresh), "CLOSED");
      assertThrows(() => fresh.watch("k", () => undefined), "CLOSED");
    },
  },
  {
    title: "close ends the watches of its store at once, and those of other stores go on",
    run: async ({ openStore }) => {
      const [store, other] = [openStore(), openStore()];
      const [told, others] = [watched(store), watched(other)];
      const changes = details(store, "change");
      const writing = store.store("k", 1);
      await store.close();
      assert.isTrue(await writing);
      assert.deepEqual([told, changes.map(lineOf), others], [[], [], ["local store k 1"]]);
    },
  },
  {
    title: "watch gets a `clear` when another tab is killed, since its last messages may be lost",
    kills: true,
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      await store.flush();
      const tab = await openTab();
      await tab.store("k", 1);
      const told = watched(store, "k");
      await tab.kill();
      await until("the store knows of the death", () => told.includes("tab clear k"));
      assert.equal(await store.retrieve("k"), 1);
    },
  },
];
