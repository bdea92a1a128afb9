import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { until } from "../support/waiting.ts";

const NOW = Date.UTC(2030, 0, 1);

export const ttlAndTags: readonly ContractCase[] = [
  {
    title: "Every operation treats an entry as absent once its ttl has passed",
    run: async ({ openStore, openTab, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", "value", { ttl: 1.5, tags: ["t"] });
      setClock(NOW + 1_499);
      assert.equal(await store.retrieve("k"), "value");
      assert.deepEqual(await store.listKeys(), ["k"]);
      setClock(NOW + 1_500);
      const stores = [store, openStore()];
      for (const reader of stores) {
        assert.isUndefined(await reader.retrieve("k"));
        assert.isUndefined(await reader.retrieve("k", { useCache: false }));
        assert.isFalse(await reader.exists("k"));
        assert.isUndefined(await reader.getMetadata("k"));
        assert.deepEqual(await reader.bulkRetrieve(["k"]), new Map());
        assert.deepEqual(await reader.listKeys("*", { tag: "t" }), []);
        assert.equal((await reader.getStorageStats()).entries, 0);
      }
      assert.isFalse(await store.delete("k"));
      // The other tab has the real clock, where the entry is not expired. The entry is absent because it was removed.
      assert.isFalse(await (await openTab()).exists("k"));
    },
  },
  {
    title: "An entry that a sweep has removed stays absent when the clock jumps back, also before 1970",
    run: async ({ openStore, setClock }) => {
      for (const now of [NOW, -NOW]) {
        setClock(now);
        const store = openStore();
        await store.store("k", "value", { ttl: 1 });
        setClock(now + 2_000);
        assert.equal(await store.sweep(), 1);
        setClock(now);
        assert.isUndefined(await store.retrieve("k"));
      }
    },
  },
  {
    title: "A store of an expired key creates a new entry",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", "old", { ttl: 1, tags: ["t"] });
      setClock(NOW + 2_000);
      assert.isTrue(await store.store("k", "new", { ifVersion: 0 }));
      const metadata = await openStore().getMetadata("k");
      assert.deepInclude(metadata, { ttl: null, tags: [] });
      assert.equal(Number(metadata?.createdAt), NOW + 2_000);
    },
  },
  {
    title: "update of an expired key creates the entry without the old ttl and tags",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", "old", { ttl: 1, tags: ["t"], format: "text" });
      setClock(NOW + 2_000);
      await store.update("k", { new: true });
      assert.deepEqual(await store.retrieve("k"), { new: true });
      assert.deepInclude(await store.getMetadata("k"), { ttl: null, tags: [], format: "json" });
    },
  },
  {
    title: "defaultTtl applies to writes without a ttl",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore({ defaultTtl: 10 });
      await store.store("default", 1);
      await store.store("own", 1, { ttl: 20 });
      await store.store("never", 1, { ttl: null });
      setClock(NOW + 10_000);
      assert.deepEqual(await store.listKeys(), ["never", "own"]);
      setClock(NOW + 20_000);
      assert.deepEqual(await openStore().listKeys(), ["never"]);
    },
  },
  {
    title: "Each write of a key restarts its ttl",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", 1, { ttl: 10 });
      setClock(NOW + 9_000);
      await store.update("k", 2);
      setClock(NOW + 18_000);
      assert.equal(await store.retrieve("k"), 2);
      setClock(NOW + 19_000);
      assert.isUndefined(await store.retrieve("k"));
    },
  },
  {
    title: "sweep removes expired entries from the database and resolves with their number",
    run: async ({ openStore, setClock, database, server }) => {
      setClock(NOW);
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2 }, { ttl: 1 });
      await store.store("kept", 3);
      setClock(NOW + 1_000);
      assert.deepEqual(await database.keys(), ["a", "b", "kept"]);
      assert.equal(await store.sweep(), 2);
      assert.deepEqual(await database.keys(), ["kept"]);
      assert.equal(await store.sweep(), 0);
      assert.lengthOf(await server.messages(), 3);
    },
  },
  {
    title: "sweepIntervalMs sets how often expired entries are removed in the background",
    run: async ({ openStore, setClock, database }) => {
      setClock(NOW);
      const store = openStore({ sweepIntervalMs: 20 });
      await store.bulkStore({ a: 1, b: 2 }, { ttl: 1 });
      setClock(NOW + 1_000);
      await until("the expired entries are removed", async () => (await database.keys()).length === 0);
    },
  },
  {
    title: "listKeys filters by tag",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("user:1", 1, { tags: ["web", "admin"] });
      await store.store("user:2", 1, { tags: ["web"] });
      await store.store("other", 1, { tags: ["web"] });
      await store.store("untagged", 1);
      assert.deepEqual(await store.listKeys("*", { tag: "web" }), ["other", "user:1", "user:2"]);
      assert.deepEqual(await openStore().listKeys("user:*", { tag: "admin" }), ["user:1"]);
      assert.deepEqual(await store.listKeys("*", { tag: "absent" }), []);
    },
  },
  {
    title: "A write replaces the tags of a key, and a delete removes them",
    run: async ({ openStore, openTab }) => {
      await openStore().bulkStore({ a: 1, b: 2, c: 3 }, { tags: ["old"] });
      const store = openStore();
      await store.store("a", 1, { tags: ["new"] });
      await (await openTab()).delete("b");
      assert.deepEqual(await store.listKeys("*", { tag: "old" }), ["c"]);
      assert.deepEqual(await store.listKeys("*", { tag: "new" }), ["a"]);
      assert.deepEqual((await store.getMetadata("a"))?.tags, ["new"]);
    },
  },
];
