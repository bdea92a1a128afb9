import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { details, nextEvent } from "../support/events.ts";
import { until } from "../support/waiting.ts";

/** Operations on the store as a whole. */
export const upkeep: readonly ContractCase[] = [
  {
    title: "getCacheStats counts hits, misses and evictions of the memory cache",
    run: async ({ openStore }) => {
      const store = openStore({ cacheSize: 2 });
      assert.deepEqual(store.getCacheStats(), { size: 0, maxSize: 2, memoryUsage: 0, hits: 0, misses: 0, evictions: 0, keys: [] });
      await store.bulkStore({ a: 1, b: 2 });
      await store.store("c", 3);
      await store.retrieve("c");
      await store.retrieve("a");
      const stats = store.getCacheStats();
      assert.deepInclude(stats, { size: 2, maxSize: 2, hits: 1, misses: 1 });
      assert.isAtLeast(stats.evictions, 1);
      assert.isAbove(stats.memoryUsage, 0);
      assert.sameMembers([...stats.keys], ["a", "c"]);
    },
  },
  {
    title: "clearCache removes every confirmed entry, publishes nothing and empties the memory of other tabs",
    run: async ({ openStore, openTab, server, database }) => {
      const store = openStore();
      const tab = await openTab();
      await store.bulkStore({ a: 1, b: 2 });
      assert.equal(await tab.retrieve("a"), 1);
      await until("both writes are settled", async () => (await store.pendingWrites()).length === 0);
      await store.clearCache();
      assert.isUndefined(await store.retrieve("a"));
      assert.isEmpty(await store.listKeys());
      assert.isEmpty(await database.keys());
      await until("the other tab forgets the entry", async () => (await tab.retrieve("a")) === undefined);
      assert.lengthOf(await server.messages(), 2);
    },
  },
  {
    title: "ping resolves true while the server answers",
    run: async ({ openStore }) => {
      assert.isTrue(await openStore().ping());
    },
  },
  {
    title: "ping resolves false while the server is unreachable",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      assert.isFalse(await openStore().ping());
    },
  },
  {
    title: "flush, pendingWrites, retryRejected, discardRejected and sweep find no write when all writes are confirmed",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      assert.deepEqual(await store.flush(), { published: 0, pending: 0, rejected: 0 });
      assert.deepEqual(await store.pendingWrites(), []);
      assert.equal(await store.retryRejected(), 0);
      assert.equal(await store.discardRejected("k"), 0);
      assert.equal(await store.sweep(), 0);
    },
  },
  {
    title: "getStorageStats counts entries, bytes and writes",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ a: "12", b: "3456" }, { format: "text" });
      const { quotaBytes, usageBytes, ...stats } = await store.getStorageStats();
      assert.deepEqual(stats, { entries: 2, bytes: 6, pendingWrites: 0, rejectedWrites: 0 });
      // WebKitGTK and Node have no `navigator.storage`.
      const estimates = (globalThis.navigator as Partial<Navigator> | undefined)?.storage !== undefined;
      assert.equal(typeof quotaBytes, estimates ? "number" : "undefined");
      assert.equal(typeof usageBytes, estimates ? "number" : "undefined");
    },
  },
  {
    title: "A write dispatches `published` once the server has confirmed it",
    run: async ({ openStore }) => {
      const store = openStore();
      const published = details(store, "published");
      const deleted = nextEvent(store, "published", ({ operation }) => operation === "delete");
      await store.store("k", 1);
      await store.delete("k");
      await deleted;
      assert.deepEqual(published, [
        { key: "k", version: 1, operation: "store" },
        { key: "k", version: 2, operation: "delete" },
      ]);
    },
  },
  {
    title: "destroyNamespace deletes the database, so that versions begin at 1 again",
    run: async ({ openStore, library, namespace }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.store("k", 2);
      await store.close();
      await library.destroyNamespace(namespace);
      const next = openStore();
      assert.isEmpty(await next.listKeys());
      await next.store("k", 3);
      assert.equal((await next.getMetadata("k"))?.version, 1);
    },
  },
  {
    title: "destroyNamespace rejects while another tab holds the database, says that the deletion follows, and the deletion follows",
    run: async ({ openStore, library, namespace, database }) => {
      const store = openStore();
      await store.store("k", 1);
      await store.close();
      const release = await database.hold();
      const error = await assertRejects(library.destroyNamespace(namespace), "STORAGE_UNAVAILABLE");
      assert.include(error.message, "The browser deletes it, with everything stored until then, as soon as no tab holds it.");
      release();
      assert.isUndefined(await openStore().retrieve("k"));
    },
  },
  {
    title: "destroyNamespace makes a running store dispatch `reset` and empty its memory",
    run: async ({ openStore, library, namespace }) => {
      const store = openStore();
      const resets = details(store, "reset");
      const reset = nextEvent(store, "reset");
      await store.store("k", 1);
      await library.destroyNamespace(namespace);
      assert.isUndefined(await store.retrieve("k"));
      await reset;
      assert.lengthOf(resets, 1);
      assert.isTrue(await store.store("k", 2));
      assert.equal(await openStore().retrieve("k"), 2);
    },
  },
];
