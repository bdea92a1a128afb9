import { assert } from "chai";
import type { KeyStoreError, NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { firstStep, rejection } from "../support/assertions.ts";

/** How a method takes a key, a value and options. */
type Arguments = (key: unknown, value: unknown, options: unknown) => unknown[];

/** An operation on one key: every error names it. */
const ON_KEY: Readonly<Record<string, Arguments>> = {
  store: (key, value, options) => [key, value, options],
  update: (key, value, options) => [key, value, options],
  retrieve: (key, _, options) => [key, options],
  retrieveOrStore: (key, value, options) => [key, value, options],
  delete: (key, _, options) => [key, options],
  exists: (key) => [key],
  getMetadata: (key) => [key],
  retryRejected: (key) => [key],
  discardRejected: (key) => [key],
  touch: (key) => [key],
};
const ON_KEYS: Readonly<Record<string, Arguments>> = {
  bulkStore: (key, value, options) => [[[key, value]], options],
  bulkRetrieve: (key, _, options) => [[key], options],
  bulkDelete: (key, _, options) => [[key], options],
};
const ON_THE_STORE: Readonly<Record<string, Arguments>> = {
  flush: (_key, _value, options) => [options],
  listKeys: (_key, _value, options) => ["*", options],
  entries: (_key, _value, options) => ["*", options],
  export: (_key, _value, options) => ["*", options],
  import: (_key, value, options) => [value, options],
  clearCache: () => [],
  deleteByTag: (_key, _value, options) => ["t", options],
  invalidate: (_key, _value, options) => [{ tag: "t" }, options],
  ping: () => [],
  pendingWrites: () => [],
  getStorageStats: () => [],
  sweep: () => [],
  ensureStream: () => [],
  pull: (_key, _value, options) => [options],
};
const ALL = { ...ON_KEY, ...ON_KEYS, ...ON_THE_STORE };
const TAKE_OPTIONS = [
  "store",
  "update",
  "retrieve",
  "retrieveOrStore",
  "delete",
  "bulkStore",
  "bulkRetrieve",
  "bulkDelete",
  "flush",
  "deleteByTag",
  "invalidate",
  "listKeys",
  "entries",
  "export",
  "import",
  "pull",
];
const TAKE_SIGNALS = TAKE_OPTIONS.filter((name) => name !== "listKeys");
/** Methods that are not operations. See closed.ts, peek.ts and watch.ts. */
const OTHERS: readonly PropertyKey[] = [
  "constructor",
  "close",
  "getCacheStats",
  "addEventListener",
  "peek",
  "watch",
  Symbol.asyncDispose ?? "undefined",
];

const UNKNOWN_OPTION = { unknown: 1 };
const INVALID_VALUE = (): undefined => undefined;

/** The error with which an operation rejects. Fails if it throws instead. */
async function errorOf(store: NASKeyStore, name: string, ...given: Parameters<Arguments>): Promise<KeyStoreError> {
  const method = Reflect.get(store, name) as (...args: unknown[]) => unknown;
  const result = firstStep(method.apply(store, ALL[name]!(...given)));
  assert.instanceOf(result, Promise, `${name} returns a promise or an async iterable`);
  return rejection(result);
}

/** Every operation checks in the same order: whether the store is open, the key, the options, the value. */
export const orderOfErrors: readonly ContractCase[] = [
  {
    title: "The cases of the order of errors know every method",
    run: async ({ library }) => {
      const names = Reflect.ownKeys(library.NASKeyStore.prototype).filter((name) => !OTHERS.includes(name));
      assert.sameMembers(names, Object.keys(ALL));
    },
  },
  {
    title: "On a closed store, every operation rejects CLOSED, whatever else is wrong, and names its key",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.close();
      for (const options of [UNKNOWN_OPTION, 1, { signal: AbortSignal.abort() }]) {
        for (const name of Object.keys(ALL)) {
          const { code, key } = await errorOf(store, name, "k", INVALID_VALUE, options);
          assert.deepEqual({ code, key }, { code: "CLOSED", key: name in ON_KEY ? "k" : undefined }, name);
          assert.equal((await errorOf(store, name, "", INVALID_VALUE, options)).code, "CLOSED", name);
        }
      }
    },
  },
  {
    title: "Every operation with an invalid key rejects INVALID_KEY, whatever else is wrong, and names the key",
    run: async ({ openStore }) => {
      const store = openStore();
      for (const options of [undefined, UNKNOWN_OPTION, 1, { signal: AbortSignal.abort() }]) {
        for (const name of Object.keys({ ...ON_KEY, ...ON_KEYS })) {
          const { code, key } = await errorOf(store, name, "\ud800", INVALID_VALUE, options);
          assert.deepEqual({ code, key }, { code: "INVALID_KEY", key: "\ud800" }, name);
        }
      }
    },
  },
  {
    title: "Every operation with invalid options rejects INVALID_OPTION, whatever the value, and names its key, which may be in memory",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      const wrong: readonly [options: unknown, option: string | undefined][] = [
        [UNKNOWN_OPTION, "unknown"],
        [1, undefined],
      ];
      for (const [options, option] of wrong) {
        for (const name of TAKE_OPTIONS) {
          const error = await errorOf(store, name, "k", INVALID_VALUE, options);
          const expected = { code: "INVALID_OPTION", option, key: name in ON_KEY ? "k" : undefined };
          assert.deepEqual({ code: error.code, option: error.option, key: error.key }, expected, name);
        }
      }
    },
  },
  {
    title: "Every operation with an aborted signal rejects with its reason, also for a key in memory",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      const reason = new Error("no longer needed");
      for (const name of TAKE_SIGNALS) {
        assert.strictEqual<unknown>(await errorOf(store, name, "k", 2, { signal: AbortSignal.abort(reason) }), reason, name);
      }
      assert.equal(await store.retrieve("k"), 1);
    },
  },
  {
    title: "An invalid value rejects INVALID_VALUE and names its key",
    run: async ({ openStore }) => {
      const store = openStore();
      for (const name of ["store", "update", "bulkStore", "retrieveOrStore"]) {
        const { code, key } = await errorOf(store, name, "k", INVALID_VALUE, {});
        assert.deepEqual({ code, key }, { code: "INVALID_VALUE", key: "k" }, name);
      }
    },
  },
];
