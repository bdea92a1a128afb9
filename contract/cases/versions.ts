import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { published } from "../support/messages.ts";
import { until } from "../support/waiting.ts";

/** A way in which an entry is removed. Each removes "k". */
interface Removal {
  /** Completes "A key that was …". */
  readonly how: string;
  readonly options?: { readonly maxEntries: number };
  readonly remove: (environment: Environment, store: NASKeyStore) => Promise<void>;
}

const NOW = Date.UTC(2030, 0, 1);

const removals: readonly Removal[] = [
  {
    how: "deleted",
    remove: async (_, store) => {
      await store.delete("k");
      await settled(store);
    },
  },
  {
    how: "deleted by another tab",
    remove: async ({ openTab }) => {
      const tab = await openTab();
      await tab.delete("k");
      await settled(tab);
    },
  },
  {
    how: "swept after its ttl",
    remove: async ({ setClock }, store) => {
      await store.update("k", 3, { ttl: 1 });
      await settled(store);
      setClock(NOW + 2_000);
      await store.sweep();
    },
  },
  {
    how: "evicted",
    options: { maxEntries: 1 },
    remove: async ({ setClock }, store) => {
      setClock(NOW + 1_000);
      await store.store("other", 1);
    },
  },
  {
    how: "removed by clearCache",
    remove: async (_, store) => {
      await settled(store);
      await store.clearCache();
    },
  },
];

/** Versions never go back. */
export const versions: readonly ContractCase[] = [
  ...removals.map(({ how, options, remove }) => ({
    title: `A key that was ${how} and is stored again gets a version that it never had, and rejects an old ifVersion`,
    run: async (environment: Environment) => {
      const { openStore, setClock, database, server } = environment;
      setClock(NOW);
      const store = openStore(options);
      await store.store("k", 1);
      await store.update("k", 2);
      await remove(environment, store);
      await until("the row is removed", async () => !(await database.keys()).includes("k"));
      const writer = openStore();
      await writer.store("k", "by somebody else", { ifVersion: 0 });
      const version = (await writer.getMetadata("k"))?.version ?? 0;
      assert.isAtLeast(version, 3);
      for (const ifVersion of [1, 2]) await assertRejects(store.store("k", "wrong", { ifVersion }), "VERSION_CONFLICT");
      assert.isTrue(await store.store("k", "right", { ifVersion: version }));
      assertRise((await published(server, "k")).map((write) => write.version));
    },
  })),
  {
    title: "The versions of a key rise on the wire over deletes, deletes of an absent key, two tabs and a reload",
    run: async ({ openStore, openTab, server }) => {
      const store = openStore();
      const tab = await openTab();
      await store.store("k", 1);
      await store.delete("k");
      await store.delete("k");
      await tab.store("k", 2);
      await tab.update("k", 3);
      await tab.delete("k");
      await settled(tab);
      await store.store("k", 4);
      await store.delete("k");
      await store.close();
      const next = openStore();
      await next.bulkStore({ k: 5, other: 1 });
      await next.delete("k");
      await next.delete("k");
      await next.store("k", 6);
      await tab.delete("k");
      const seen = (await published(server, "k")).map(({ version }) => version);
      assert.lengthOf(seen, 13);
      assertRise(seen);
    },
  },
  {
    title: "The first write of a key in a new database has version 1, also a delete of an absent key",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.delete("absent");
      await openStore().store("k", 1);
      const [first, second] = await published(server);
      assert.deepEqual(first, { key: "absent", version: 1, value: undefined });
      assert.isAtMost(second?.version ?? 0, 2);
    },
  },
];

/** Resolves when every write is recorded as confirmed. */
function settled(store: Pick<NASKeyStore, "pendingWrites">): Promise<void> {
  return until("the writes are settled", async () => (await store.pendingWrites()).length === 0);
}

function assertRise(seen: readonly number[]): void {
  assert.isTrue(
    seen.every((version, index) => version > (seen[index - 1] ?? 0)),
    `The versions ${seen.join(", ")} rise.`,
  );
}
