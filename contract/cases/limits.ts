import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { published } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";

const KEYS = ["a", "b", "c", "d", "e"];

/** Options that limit the size of a store. */
export const limits: readonly ContractCase[] = [
  {
    title: "cacheSize limits the entries in memory, and 0 turns the memory cache off",
    run: async ({ openStore }) => {
      for (const cacheSize of [2, 0]) {
        const store = openStore({ cacheSize });
        for (const key of KEYS) await store.store(key, key);
        assert.deepInclude(store.getCacheStats(), { size: cacheSize, maxSize: cacheSize });
        for (const key of KEYS) assert.equal(await store.retrieve(key), key);
        assert.equal(store.getCacheStats().size, cacheSize);
      }
    },
  },
  {
    title: "maxEntries evicts the least recently used entries and publishes nothing",
    run: async ({ openStore, database, server, setClock }) => {
      const store = openStore({ maxEntries: 3 });
      let now = Date.UTC(2030, 0, 1);
      for (const key of ["a", "b", "c"]) {
        setClock((now += 60_000));
        await store.store(key, 1);
      }
      setClock((now += 60_000));
      await store.retrieve("a");
      for (const key of ["d", "e"]) {
        setClock((now += 60_000));
        await store.store(key, 1);
      }
      await until("two entries are evicted", async () => (await database.keys()).length === 3);
      assert.deepEqual(await store.listKeys(), ["a", "d", "e"]);
      assert.isUndefined(await store.retrieve("b"));
      assert.lengthOf(await published(server), 5);
    },
  },
  {
    title: "maxBytes evicts entries until the remaining payloads fit",
    run: async ({ openStore }) => {
      const store = openStore({ maxBytes: 250 });
      for (const key of KEYS) await store.store(key, "x".repeat(100), { format: "text" });
      await until("the payloads fit", async () => (await store.getStorageStats()).bytes <= 250);
      assert.deepEqual(await store.listKeys(), ["d", "e"]);
    },
  },
  {
    title: "Unconfirmed entries are not evicted",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore({ maxEntries: 2 });
      for (const key of KEYS) await store.store(key, 1);
      assert.deepEqual(await store.listKeys(), KEYS);
      await server.restore();
      await untilPublished(store);
      await until("confirmed entries are evicted", async () => (await store.listKeys()).length === 2);
      assert.sameMembers(
        (await published(server)).map(({ key }) => key),
        KEYS,
      );
    },
  },
  {
    title: "A message over maxPayloadBytes rejects PAYLOAD_TOO_LARGE and changes nothing",
    run: async ({ openStore, server }) => {
      const store = openStore({ maxPayloadBytes: 1_000 });
      await store.store("k", "old");
      await assertRejects(store.store("k", "x".repeat(1_000)), "PAYLOAD_TOO_LARGE");
      await assertRejects(store.update("k", "x".repeat(1_000)), "PAYLOAD_TOO_LARGE");
      await assertRejects(store.bulkStore({ a: 1, b: "x".repeat(1_000) }), "PAYLOAD_TOO_LARGE");
      assert.equal(await store.retrieve("k"), "old");
      assert.deepEqual(await store.listKeys(), ["k"]);
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "An entry of a megabyte is stored, published and returned",
    run: async ({ openStore, server }) => {
      const bytes = new Uint8Array(700_000).map((_, index) => index * 7);
      assert.isTrue(await openStore().store("k", bytes, { format: "binary" }));
      assert.deepEqual(await openStore().retrieve("k"), bytes);
      assert.lengthOf(await server.waitForMessages(1), 1);
    },
  },
];
