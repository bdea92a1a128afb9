import { assert } from "chai";
import type { KeyStoreError } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { details } from "../support/events.ts";
import { assertRejects, firstStep } from "../support/assertions.ts";
import { byName } from "../support/by-name.ts";

/** Methods that work on a closed store, or throw CLOSED at once (see peek.ts and watch.ts). Every other method must reject CLOSED. */
const WORK_WHEN_CLOSED: readonly PropertyKey[] = [
  "constructor",
  "close",
  "getCacheStats",
  "addEventListener",
  "peek",
  "watch",
  // WebKitGTK 2.50 has no such symbol: the name of the method is "undefined".
  Symbol.asyncDispose ?? "undefined",
];

/** The promises of `close`. */
export const closed: readonly ContractCase[] = [
  {
    title: "Every method that returns a promise or an async iterable rejects CLOSED after close",
    run: async ({ openStore, library }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.close();
      const { prototype } = library.NASKeyStore;
      const names = Reflect.ownKeys(prototype).filter((name) => !WORK_WHEN_CLOSED.includes(name));
      assert.isAbove(names.length, 15);
      for (const name of names) {
        const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
        // Valid for most methods. A closed store checks no argument.
        const result = firstStep(method.call(store, "k", {}));
        assert.instanceOf(result, Promise, `${String(name)} returns a promise or an async iterable`);
        const error = await result.catch((error: KeyStoreError) => error);
        assert.instanceOf(error, library.KeyStoreError, `${String(name)} rejects`);
        assert.equal(error.code, "CLOSED", String(name));
      }
    },
  },
  {
    title: "Operations reject CLOSED as soon as close is called, even for a value in memory",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      const closing = store.close();
      await assertRejects(store.retrieve("k"), "CLOSED");
      await assertRejects(store.bulkRetrieve(["k"]), "CLOSED");
      await assertRejects(store.store("k", 2), "CLOSED");
      await closing;
      assert.equal(await openStore().retrieve("k"), 1);
    },
  },
  {
    title: "close can be called more than once, and getCacheStats works on a closed store",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await store[Symbol.asyncDispose]();
      assert.equal(store.getCacheStats().maxSize, 100);
    },
  },
  {
    title: "close waits for the operations that were called before it",
    run: async ({ openStore, server }) => {
      const store = openStore();
      const published = details(store, "published");
      const results = byName({
        store: store.store("a", 1),
        bulkStore: store.bulkStore({ b: 2, c: 3 }),
        retrieve: store.retrieve("absent"),
        delete: store.delete("d"),
      });
      await store.close();
      const bulkStore = new Map([
        ["b", true],
        ["c", true],
      ]);
      assert.deepEqual<object>(await results, { store: true, bulkStore, retrieve: undefined, delete: false });
      assert.lengthOf(await server.messages(), 4);
      assert.lengthOf(published, 4);
      assert.deepEqual(await openStore().listKeys(), ["a", "b", "c"]);
    },
  },
  {
    title: "A store rejects CLOSED after it is disposed",
    run: async ({ openStore }) => {
      const store = openStore();
      await store[Symbol.asyncDispose]();
      await assertRejects(store.exists("k"), "CLOSED");
    },
  },
  {
    title: "A store that is closed immediately has no open connection to the database",
    run: async ({ openStore, library, namespace }) => {
      await openStore().close();
      // An open connection would block the deletion of the database.
      await library.destroyNamespace(namespace);
    },
  },
];
