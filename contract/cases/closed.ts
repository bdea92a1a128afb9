import { assert } from "chai";
import type { KeyStoreError } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { details } from "../support/events.ts";
import { assertRejects } from "../support/assertions.ts";

/** Methods that a closed store still has. A new method is not among them unless it is added here. */
const REMAIN: readonly PropertyKey[] = [
  "constructor",
  "close",
  "getCacheStats",
  // WebKitGTK 2.50 has no such symbol: the name of the method is "undefined".
  Symbol.asyncDispose ?? "undefined",
];

/** What `close` promises. */
export const closed: readonly ContractCase[] = [
  {
    title: "Every method that returns a promise rejects CLOSED after close",
    run: async ({ openStore, library }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.close();
      const { prototype } = library.NASKeyStore;
      const names = Reflect.ownKeys(prototype).filter((name) => !REMAIN.includes(name));
      assert.isAbove(names.length, 15);
      for (const name of names) {
        const method = Reflect.get(prototype, name) as (...args: unknown[]) => unknown;
        // Valid for most methods. A closed store looks at no argument.
        const result = method.call(store, "k", {});
        assert.instanceOf(result, Promise, `${String(name)} returns a promise`);
        const error = await result.catch((error: KeyStoreError) => error);
        assert.instanceOf(error, library.KeyStoreError, `${String(name)} rejects`);
        assert.equal(error.code, "CLOSED", String(name));
      }
    },
  },
  {
    title: "retrieve rejects CLOSED from the call of close on, also for a value in memory",
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
    title: "close can be called again, and getCacheStats works afterwards",
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
      const operations = Promise.all([store.store("a", 1), store.bulkStore({ b: 2, c: 3 }), store.retrieve("absent"), store.delete("d")]);
      await store.close();
      assert.deepEqual(await operations, [
        true,
        new Map([
          ["b", true],
          ["c", true],
        ]),
        undefined,
        false,
      ]);
      assert.lengthOf(await server.messages(), 4);
      assert.lengthOf(published, 4);
      assert.deepEqual(await openStore().listKeys(), ["a", "b", "c"]);
    },
  },
  {
    title: "A store that is disposed of is closed",
    run: async ({ openStore }) => {
      const store = openStore();
      await store[Symbol.asyncDispose]();
      await assertRejects(store.exists("k"), "CLOSED");
    },
  },
  {
    title: "A store that is closed at once leaves nothing behind",
    run: async ({ openStore, library, namespace }) => {
      await openStore().close();
      // Would be blocked by a connection to the database that is still open.
      await library.destroyNamespace(namespace);
    },
  },
];
