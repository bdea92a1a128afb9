import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { distinct, published } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";

/** Longer than any case: the write stays in the state "sending". */
const NEVER_MS = 60_000;

/** Several tabs of one origin. */
export const tabs: readonly ContractCase[] = [
  {
    title: "The memory cache replaces or drops a value when another tab writes its key",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.bulkStore({ stored: "old", deleted: "old", updated: "old" });
      await tab.store("stored", "new");
      await tab.delete("deleted");
      await tab.update("updated", "new");
      await until("the store knows the writes", async () => (await store.retrieve("updated")) === "new");
      assert.equal(await store.retrieve("stored"), "new");
      assert.isUndefined(await store.retrieve("deleted"));
    },
  },
  {
    title: "Tabs list each other's entries and pending writes",
    outage: true,
    run: async ({ openStore, openTab, server }) => {
      await server.disconnect();
      const store = openStore();
      const tab = await openTab();
      await tab.store("tab", 1);
      await store.store("store", 2);
      for (const reader of [store, tab]) {
        assert.deepEqual(await reader.listKeys(), ["store", "tab"]);
        assert.sameMembers(
          (await reader.pendingWrites()).map(({ key }) => key),
          ["store", "tab"],
        );
      }
    },
  },
  ...(["closed", "killed"] as const).map((ended) => ({
    title: `A store publishes the writes that a ${ended} tab has queued`,
    outage: true,
    kills: ended === "killed",
    run: async ({ openStore, openTab, server }: Environment) => {
      await server.disconnect();
      const store = openStore();
      const tab = await openTab();
      assert.isFalse(await tab.store("k", 1));
      assert.lengthOf(await tab.pendingWrites(), 1); // so that no transaction of the tab is running
      await (ended === "killed" ? tab.kill() : tab.close());
      await server.restore();
      await untilPublished(store);
      assert.deepEqual(await published(server), [{ key: "k", version: 1, value: "1" }]);
    },
  })),
  {
    title: "A store publishes the writes that a killed tab was sending, without another call",
    outage: true,
    kills: true,
    run: async ({ openStore, openTab, server }) => {
      const store = openStore();
      const tab = await openTab({ timeoutMs: NEVER_MS });
      await server.hang();
      // These promises never settle, because the tab is killed.
      void Promise.allSettled([tab.store("a", 1), tab.bulkStore({ b: 2, c: 3 }), tab.delete("d")]);
      await until("the tab has committed its writes", async () => (await store.pendingWrites()).length === 4);
      assert.isEmpty(await server.messages());
      assert.lengthOf(await tab.pendingWrites(), 4); // so that no transaction of the tab is running
      await tab.kill();
      await server.restore();
      await server.waitForMessages(4);
      assert.sameMembers(
        (await published(server)).map(({ key }) => key),
        ["a", "b", "c", "d"],
      );
      await until("the writes are confirmed", async () => (await store.pendingWrites()).length === 0);
    },
  },
  {
    title: "A store does not publish a write that a live tab is sending",
    outage: true,
    run: async (environment) => {
      const { server } = environment;
      const { store, sending } = await whileTabIsSending(environment);
      assert.equal((await store.flush()).published, 0);
      await server.restore();
      assert.isTrue(await sending);
      assert.lengthOf(await server.messages(), 1);
      await until("the store knows that the write is confirmed", async () => (await store.pendingWrites()).length === 0);
    },
  },
  {
    title: "A newer write is published after the older write of its key that a live tab is sending",
    outage: true,
    run: async (environment) => {
      const { server } = environment;
      const { store, sending } = await whileTabIsSending(environment);
      assert.isFalse(await store.store("k", "newer"));
      await server.restore();
      await sending;
      await untilPublished(store);
      const writes = await published(server);
      assert.deepEqual(writes.at(-1), { key: "k", version: 2, value: '"newer"' });
      assert.deepEqual(
        writes,
        writes.toSorted((a, b) => a.version - b.version),
      );
    },
  },
  {
    title: "No write is lost when four tabs write at the same time",
    run: async ({ openStore, openTab, server }) => {
      const stores = [openStore(), ...(await Promise.all([openTab(), openTab(), openTab()]))];
      const written = await Promise.all(
        stores.flatMap((store, tab) => Array.from({ length: 10 }, (_, index) => store.store(`tab${tab}:${index}`, index))),
      );
      assert.isTrue(written.every(Boolean));
      assert.lengthOf(await openStore().listKeys("tab*"), 40);
      assert.lengthOf(distinct(await server.messages()), 40);
    },
  },
];

/** Makes a tab send a write of "k" to a server that does not answer. Resolves to a store that knows the write. */
async function whileTabIsSending({ openStore, openTab, server }: Environment): Promise<{ store: NASKeyStore; sending: Promise<boolean> }> {
  await server.hang();
  const tab = await openTab({ timeoutMs: NEVER_MS });
  const sending = tab.store("k", "older");
  const store = openStore({ timeoutMs: 500 });
  await until("the tab has committed its write", async () => (await store.pendingWrites()).length === 1);
  return { store, sending };
}
