import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { published } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";
import { KEY, situations } from "./situations.ts";

interface OfflineWrite {
  readonly title: (key: string) => string;
  readonly run: (store: NASKeyStore) => Promise<void>;
  readonly value: string | undefined;
}

const writes: readonly OfflineWrite[] = [
  {
    title: (key) => `A store of a key ${key} is queued while the server is unreachable and published later`,
    run: async (store) => {
      await assertRejects(store.store(KEY, "wrong", { ifVersion: 0 }), "VERSION_CONFLICT");
      assert.isFalse(await store.store(KEY, "new"));
    },
    value: "new",
  },
  {
    title: (key) => `A delete of a key ${key} is queued while the server is unreachable and published later`,
    run: async (store) => assert.isTrue(await store.delete(KEY)),
    value: undefined,
  },
  {
    title: (key) => `A bulkStore of a key ${key} is queued while the server is unreachable and published later`,
    run: async (store) => assert.deepEqual([...(await store.bulkStore({ [KEY]: "new" }))], [[KEY, false]]),
    value: "new",
  },
];

/** Writes to keys that exist but are not in the store's memory cache, while no server answers. */
export const overwritingOffline: readonly ContractCase[] = situations
  .filter(({ key }) => ["that an earlier store wrote", "that another open tab wrote", "in a block"].includes(key))
  .flatMap(({ key, arrange }) =>
    writes.map(({ title, run, value }) => ({
      title: title(key),
      outage: true,
      run: async (environment: Environment) => {
        const { server, openStore } = environment;
        const store = await arrange(environment);
        await until("the old value is confirmed", async () => (await store.pendingWrites()).length === 0);
        await server.disconnect();
        await run(store);
        for (const reader of [store, openStore()]) {
          assert.equal(await reader.retrieve(KEY), value);
          const pending = (await reader.pendingWrites()).map(({ key, version, operation }) => ({ key, version, operation }));
          assert.deepEqual(pending, [{ key: KEY, version: 2, operation: value === undefined ? "delete" : "store" }]);
        }
        await server.restore();
        await untilPublished(store);
        const newest = { key: KEY, version: 2, value: value === undefined ? undefined : JSON.stringify(value) };
        assert.deepEqual((await published(server, KEY)).slice(1), [newest]);
        assert.equal(await openStore().retrieve(KEY), value);
      },
    })),
  );
