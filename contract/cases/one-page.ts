import { assert } from "chai";
import type { KeyStoreOptions, NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { nextEvent } from "../support/events.ts";
import { published } from "../support/messages.ts";
import { until } from "../support/waiting.ts";

/** How the second store differs from the first. Stores with other network settings have a connection of their own. */
const SETTINGS: Readonly<Record<string, KeyStoreOptions>> = {
  "the same settings": {},
  "another cache size, time to live and compression": { cacheSize: 1, defaultTtl: 3600, compression: { thresholdBytes: 1 } },
  "other network settings": { lingerMs: 500, timeoutMs: 3_000 },
};

/** How one store changes "k", and the value afterwards. */
const CHANGES: readonly { readonly name: string; readonly make: (store: NASKeyStore) => Promise<unknown>; readonly value: unknown }[] = [
  { name: "store", make: (store) => store.store("k", "stored"), value: "stored" },
  { name: "update", make: (store) => store.update("k", "updated"), value: "updated" },
  { name: "bulkStore", make: (store) => store.bulkStore({ k: "bulk", l: 1 }), value: "bulk" },
  { name: "delete", make: (store) => store.delete("k"), value: undefined },
];

/** Several stores of one namespace in one page. */
export const onePage: readonly ContractCase[] = [
  ...Object.entries(SETTINGS).flatMap(([settings, options]) => [
    ...[false, true].map((outage) => ({
      title: `A store reads what another store of its page with ${settings} has written, ${outage ? "offline" : "online"}`,
      outage,
      run: async ({ openStore, server }: Environment) => {
        if (outage) await server.disconnect();
        const [one, other] = [openStore(), openStore(options)];
        for (let round = 0; round < 5; round++) {
          for (const [writer, reader] of [
            [one, other],
            [other, one],
          ] as const) {
            for (const { name, make, value } of CHANGES) {
              // The reader has the old value in memory.
              await reader.retrieve("k");
              await make(writer);
              assert.strictEqual(await reader.retrieve("k"), value, `retrieve after ${name}`);
              assert.strictEqual((await reader.bulkRetrieve(["k"])).get("k"), value, `bulkRetrieve after ${name}`);
              assert.strictEqual(await reader.exists("k"), value !== undefined, `exists after ${name}`);
            }
          }
        }
      },
    })),
    {
      title: `A store forgets what another store of its page with ${settings} has cleared`,
      run: async ({ openStore }: Environment) => {
        const [one, other] = [openStore(), openStore(options)];
        await one.store("k", 1);
        assert.strictEqual(await other.retrieve("k"), 1);
        assert.lengthOf(await one.pendingWrites(), 0); // so that the write is not kept
        await one.clearCache();
        assert.isUndefined(await other.retrieve("k"));
        await one.store("k", 2);
        await other.pendingWrites();
        assert.strictEqual(await other.retrieve("k"), 2);
      },
    },
    {
      title: `A store continues to work after another store of its page with ${settings} has closed`,
      run: async ({ openStore, server }: Environment) => {
        const [one, other] = [openStore(), openStore(options)];
        await Promise.all([one.store("k", 1), other.store("l", 1)]);
        await one.close();
        assert.isTrue(await other.store("k", 2));
        assert.strictEqual(await other.retrieve("k"), 2);
        assert.deepInclude(await other.flush(), { pending: 0, rejected: 0 });
        await other.close();
        const again = openStore(options);
        assert.strictEqual(await again.retrieve("k"), 2);
        assert.lengthOf(await published(server), 3);
      },
    },
  ]),
  {
    title: "A store publishes what a closed store of its page has queued",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const [one, other] = [openStore(), openStore({ lingerMs: 500 })];
      assert.isFalse(await one.store("k", 1));
      await one.close();
      await server.restore();
      await other.flush();
      assert.deepEqual(await published(server), [{ key: "k", version: 1, value: "1" }]);
      assert.isEmpty(await other.pendingWrites());
    },
  },
  {
    title: "A store that opens during an outage that its page knows of dispatches `offline`",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      assert.isFalse(await openStore().store("k", 1));
      const { pending } = await nextEvent(openStore(), "offline");
      assert.strictEqual(pending, 1);
    },
  },
  {
    title: "Each of 200 stores of one page has a write confirmed",
    run: async ({ openStore, server }) => {
      const written = await Promise.all(Array.from({ length: 200 }, (_, index) => openStore().store(`k${index}`, index)));
      assert.isTrue(written.every(Boolean));
      assert.lengthOf(await published(server), 200);
      const { held = [], pending = [] } = (await globalThis.navigator.locks?.query()) ?? {};
      assert.isAtMost(held.length + pending.length, 400);
    },
  },
  {
    title: "Stores of one page lose no write when they write the same keys at the same time",
    run: async ({ openStore, server }) => {
      const stores = Array.from({ length: 10 }, (_, index) => openStore(index % 2 === 0 ? {} : { lingerMs: 500 }));
      await Promise.all(
        stores.map(async (store, index) => {
          for (let round = 0; round < 5; round++) await store.store(`k${round}`, index);
        }),
      );
      await until("all writes are published", async () => (await openStore().flush()).pending === 0);
      const newest = new Map((await published(server)).map(({ key, value }) => [key, value]));
      assert.lengthOf([...newest], 5);
      for (const store of stores) {
        for (const [key, value] of newest) assert.strictEqual(JSON.stringify(await store.retrieve(key)), value, key);
      }
    },
  },
];
