import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { until } from "../support/waiting.ts";

const NOW = Date.UTC(2030, 0, 1);

/** `touch` restarts the ttl of an entry. */
export const touching: readonly ContractCase[] = [
  {
    title: "touch restarts the ttl of an entry, and leaves its value, version and updatedAt as they are; nothing is published",
    run: async ({ openStore, server, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("k", "value", { ttl: 10, tags: ["t"] });
      setClock(NOW + 9_000);
      assert.isTrue(await store.touch("k"));
      setClock(NOW + 18_999);
      assert.equal(await store.retrieve("k"), "value");
      const metadata = await openStore().getMetadata("k");
      assert.deepInclude(metadata, { version: 1, ttl: 10, tags: ["t"], pending: false });
      assert.deepEqual([Number(metadata?.updatedAt), Number(metadata?.expiresAt)], [NOW, NOW + 19_000]);
      assert.isTrue(await store.update("k", "next", { ifVersion: 1 }));
      setClock(NOW + 40_000);
      assert.isUndefined(await store.retrieve("k"));
      assert.lengthOf(await server.messages(), 2);
    },
  },
  {
    title: "touch with a number sets a new ttl, also of an entry without one, and null removes the expiry",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore({ cacheSize: 10 });
      await store.bulkStore(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, n])));
      assert.isTrue(await store.touch("k1", 1.5));
      assert.deepInclude(await store.getMetadata("k1"), { ttl: 1.5, expiresAt: new Date(NOW + 1_500) });
      assert.isTrue(await store.touch("k2"));
      assert.isTrue(await store.touch("k99", 5));
      assert.isTrue(await store.touch("k99", null));
      setClock(NOW + 60_000);
      assert.isUndefined(await store.retrieve("k1"));
      assert.deepEqual([await store.retrieve("k2"), await store.retrieve("k99")], [2, 99]);
      assert.deepInclude(await store.getMetadata("k99"), { ttl: null, expiresAt: null });
      assert.lengthOf(await store.listKeys(), 99);
    },
  },
  {
    title: "touch resolves false for an absent, a deleted and an expired key, also when the clock jumps back",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.store("expired", 1, { ttl: 1 });
      await store.store("deleted", 1);
      await store.delete("deleted");
      setClock(NOW + 2_000);
      for (const key of ["absent", "deleted", "expired"]) assert.isFalse(await store.touch(key, 60), key);
      setClock(NOW);
      assert.isFalse(await store.touch("expired"));
      assert.isEmpty(await store.listKeys());
    },
  },
  {
    title: "A shorter ttl ends an entry that is in memory, in this tab and in others",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.store("k", 1);
      assert.equal(await tab.retrieve("k"), 1);
      assert.isTrue(await store.touch("k", 0.001));
      await until("the entry has expired here", async () => (await store.retrieve("k")) === undefined);
      await until("the entry has expired in the other tab", async () => (await tab.retrieve("k")) === undefined);
    },
  },
  {
    title: "touch sees the writes that were called before it, and later reads and writes see the touch",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      const stored = store.store("k", 1, { ttl: 10 });
      const touched = store.touch("k", 60);
      const metadata = store.getMetadata("k");
      const updated = store.update("k", 2);
      assert.isTrue(await touched);
      assert.deepInclude(await metadata, { ttl: 60, version: 1 });
      assert.deepEqual([await stored, await updated], [true, true]);
      assert.deepInclude(await store.getMetadata("k"), { ttl: 60, version: 2 });
    },
  },
  {
    title: "A touched entry whose write waits for the server stays pending, and is published once, with the new ttl",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await server.disconnect();
      assert.isFalse(await store.store("k", 1, { ttl: 60 }));
      assert.isTrue(await store.touch("k", 120));
      assert.deepInclude(await store.getMetadata("k"), { pending: true, version: 1 });
      await server.restore();
      await store.flush();
      const messages = await server.waitForMessages(1);
      assert.deepEqual(
        messages.map(({ envelope }) => envelope?.metadata?.ttl),
        [120],
      );
      assert.deepInclude(await store.getMetadata("k"), { pending: false, version: 1, ttl: 120 });
      assert.deepEqual(await store.pendingWrites(), []);
    },
  },
  {
    title: "touch of an entry with a damaged value restarts its ttl, and the value stays damaged",
    run: async ({ openStore, database, setClock }) => {
      setClock(NOW);
      const store = openStore({ cacheSize: 0 });
      await store.store("k", "value", { ttl: 10 });
      await database.flipBit("k");
      setClock(NOW + 5_000);
      assert.isTrue(await store.touch("k"));
      await assertRejects(store.retrieve("k"), "CHECKSUM_MISMATCH");
      assert.deepEqual((await store.getMetadata("k"))?.expiresAt, new Date(NOW + 15_000));
    },
  },
  {
    title: "touch refuses a ttl that is not a number of seconds above 0",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      for (const ttl of [0, -1, Number.NaN, Infinity, 1e13, "60", {}, true]) {
        const { option, key } = await assertRejects(store.touch("k", ttl as number), "INVALID_OPTION");
        assert.deepEqual({ option, key }, { option: "ttl", key: "k" });
      }
      assert.deepInclude(await store.getMetadata("k"), { ttl: null });
    },
  },
];
