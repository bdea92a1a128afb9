import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { rejection } from "../support/assertions.ts";
import { byName } from "../support/by-name.ts";
import { published } from "../support/messages.ts";

const THOUSAND = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
const all = (value: string): Map<string, string> => new Map(THOUSAND.map((key) => [key, value]));

/** Writes to many keys that exist, and to keys that several stores write at the same time. */
export const overwritingMany: readonly ContractCase[] = [
  {
    title: "A second bulkStore of 1,000 keys replaces the first values, and both are published",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore(all("first"));
      const results = await store.bulkStore(all("second"));
      assert.isTrue([...results.values()].every(Boolean));
      const reader = openStore();
      assert.deepEqual(await reader.bulkRetrieve(THOUSAND), all("second"));
      assert.equal((await reader.getStorageStats()).entries, 1_000);
      for (const key of ["k0", "k500", "k999"]) assert.equal((await reader.getMetadata(key))?.version, 2);
      const writes = await published(server);
      assert.lengthOf(writes, 2_000);
      assert.isTrue(writes.slice(1_000).every(({ version, value }) => version === 2 && value === '"second"'));
    },
  },
  {
    title: "bulkStore replaces the keys that another tab wrote and adds the others",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const thirds = THOUSAND.filter((_, index) => index % 3 === 0);
      await (await openTab()).bulkStore(thirds.map((key) => [key, "first"] as const));
      await store.bulkStore(all("second"));
      const reader = openStore();
      assert.deepEqual(await reader.bulkRetrieve(THOUSAND), all("second"));
      assert.equal((await reader.getMetadata("k0"))?.version, 2);
      assert.equal((await reader.getMetadata("k1"))?.version, 1);
    },
  },
  {
    title: "100 concurrent stores of existing keys replace each value",
    run: async ({ openStore, server }) => {
      const keys = THOUSAND.slice(0, 100);
      await openStore().bulkStore(keys.map((key) => [key, "first"] as const));
      const store = openStore();
      const results = await Promise.all(keys.map((key) => store.store(key, "second")));
      assert.isTrue(results.every(Boolean));
      assert.deepEqual(await openStore().bulkRetrieve(keys), new Map(keys.map((key) => [key, "second"])));
      assert.lengthOf(await published(server), 200);
    },
  },
  {
    title: "Concurrent writes of new and existing keys succeed, except one with a wrong ifVersion",
    run: async ({ openStore, openTab, server }) => {
      await (await openTab()).bulkStore({ stored: "old", updated: "old", deleted: "old" });
      const store = openStore();
      const results = await byName({
        newKey: store.store("new", "new"),
        stored: store.store("stored", "new"),
        updated: store.update("updated", "new"),
        deleted: store.delete("deleted"),
        wrongVersion: rejection(store.store("stored", "wrong", { ifVersion: 0 })).then(({ code }) => code),
        newKeyWithVersion: store.store("new2", "new", { ifVersion: 0 }),
      });
      assert.deepEqual<object>(results, {
        newKey: true,
        stored: true,
        updated: true,
        deleted: true,
        wrongVersion: "VERSION_CONFLICT",
        newKeyWithVersion: true,
      });
      const expected = ["new", "new2", "stored", "updated"].map((key): [string, string] => [key, "new"]);
      assert.deepEqual(await openStore().bulkRetrieve(["new", "new2", "stored", "updated", "deleted"]), new Map(expected));
      assert.lengthOf(await published(server), 3 + 5);
    },
  },
  {
    title: "45 other entries are kept when a store overwrites a key that another tab wrote",
    run: async ({ openStore, openTab }) => {
      const others = Array.from({ length: 45 }, (_, index): [string, number] => [`other${index}`, index]);
      const tab = await openTab();
      for (const [key, value] of others) await tab.store(key, value);
      await tab.store("k", "old");
      const store = openStore();
      assert.isTrue(await store.store("k", "new"));
      assert.isTrue(await store.delete("other0"));
      const reader = openStore();
      assert.deepEqual(await reader.bulkRetrieve(others.map(([key]) => key)), new Map(others.slice(1)));
      assert.lengthOf(await reader.listKeys(), 45);
    },
  },
  {
    title: "One of two tabs succeeds when both create a key with ifVersion 0 at the same time",
    run: async ({ openStore, openTab, server }) => {
      const store = openStore();
      const tab = await openTab();
      for (let round = 0; round < 5; round++) {
        const create = (from: Pick<typeof store, "store">, value: string): Promise<string> =>
          from.store(`k${round}`, value, { ifVersion: 0 }).then(
            () => value,
            (error: { code: string }) => error.code,
          );
        const outcomes = await Promise.all([create(store, "store"), create(tab, "tab")]);
        const [winner, ...others] = outcomes.filter((outcome) => outcome !== "VERSION_CONFLICT");
        assert.isEmpty(others, outcomes.join(" and "));
        for (const reader of [store, tab]) assert.equal(await reader.retrieve(`k${round}`, { useCache: false }), winner);
      }
      assert.lengthOf(await published(server), 5);
    },
  },
  {
    title: "Two tabs that overwrite a key in turn increase its version by one each time",
    run: async ({ openStore, openTab, server }) => {
      const store = openStore();
      const tab = await openTab();
      for (let round = 0; round < 10; round++) {
        const [writer, reader] = round % 2 === 0 ? [store, tab] : [tab, store];
        assert.isTrue(await writer.store("k", round));
        assert.equal(await reader.retrieve("k", { useCache: false }), round);
        assert.equal((await reader.getMetadata("k"))?.version, round + 1);
      }
      const versions = (await published(server)).map(({ version }) => version);
      assert.deepEqual(versions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    },
  },
  {
    title: "Two tabs that overwrite a key at the same time both succeed, and the highest version is published last",
    run: async ({ openStore, openTab, server }) => {
      const store = openStore();
      const tab = await openTab();
      await store.store("k", "first");
      const writes = [1, 2, 3].flatMap((value) => [store.store("k", `store ${value}`), tab.store("k", `tab ${value}`)]);
      await Promise.all(writes);
      while ((await store.flush()).pending > 0);
      const last = (await published(server)).at(-1);
      assert.equal(last?.version, 7);
      for (const reader of [store, tab, openStore()])
        assert.equal(JSON.stringify(await reader.retrieve("k", { useCache: false })), last?.value);
    },
  },
];
