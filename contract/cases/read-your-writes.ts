import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";

/** Reads that are called while the writes before them are under way. */
interface Sequence {
  /** A sentence without its end. */
  readonly title: string;
  /** Starts writes without awaiting them, then reads. "a" is stored as "old". Resolves to what the reads have found. */
  readonly run: (store: NASKeyStore) => Promise<unknown>;
  readonly expected: unknown;
}

const MANY = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`many${index}`, index]));

const sequences: readonly Sequence[] = [
  {
    title: "A retrieve sees a store that was called before it",
    run: (store) => after([store.store("a", "new")], () => store.retrieve("a")),
    expected: "new",
  },
  {
    title: "A retrieve with useCache false sees an update that was called before it",
    run: (store) => after([store.update("a", "new")], () => store.retrieve("a", { useCache: false })),
    expected: "new",
  },
  {
    title: "A retrieve sees the last of several writes that were called before it",
    run: (store) =>
      after([store.store("a", 1), store.delete("a"), store.store("a", 2), store.update("a", 3)], () =>
        store.retrieve("a", { useCache: true }),
      ),
    expected: 3,
  },
  {
    title: "A retrieve sees a delete that was called before it",
    run: (store) => after([store.delete("a")], () => store.retrieve("a")),
    expected: undefined,
  },
  {
    title: "exists sees a store that was called before it",
    run: (store) => after([store.store("b", 1)], () => store.exists("b")),
    expected: true,
  },
  {
    title: "exists sees a store and a delete that were called before it",
    run: (store) => after([store.store("b", 1), store.delete("b")], () => store.exists("b")),
    expected: false,
  },
  {
    title: "bulkRetrieve sees a bulkStore of several transactions and a delete that were called before it",
    run: (store) =>
      after([store.bulkStore(MANY), store.delete("many7")], async () => {
        const found = await store.bulkRetrieve(["a", ...Object.keys(MANY)]);
        return [found.size, found.get("a"), found.get("many599"), found.has("many7")];
      }),
    expected: [600, "old", 599, false],
  },
  {
    title: "getMetadata sees an update that was called before it",
    run: (store) => after([store.update("a", "new", { tags: ["t"] })], async () => (await store.getMetadata("a"))?.tags),
    expected: ["t"],
  },
  {
    title: "listKeys sees a store, a bulkStore and a delete that were called before it",
    run: (store) => after([store.store("b", 1), store.bulkStore({ c: 1, d: 1 }), store.delete("a")], () => store.listKeys()),
    expected: ["b", "c", "d"],
  },
  {
    title: "getStorageStats sees a bulkStore that was called before it",
    run: (store) => after([store.bulkStore(MANY)], async () => (await store.getStorageStats()).entries),
    expected: 601,
  },
  {
    title: "A retrieve sees a store that was called after an earlier retrieve of the key",
    run: async (store) => {
      const [first, , second] = await Promise.all([store.retrieve("absent"), store.store("absent", 1), store.retrieve("absent")]);
      return [first, second];
    },
    expected: [undefined, 1],
  },
  {
    title: "A read is not rejected by the failure of a write that was called before it",
    run: async (store) => {
      const [error, value, isThere, keys] = await Promise.all([
        rejection(store.store("a", "new", { ifVersion: 99 })),
        store.retrieve("a"),
        store.exists("a"),
        store.listKeys(),
      ]);
      return [error.code, value, isThere, keys];
    },
    expected: ["VERSION_CONFLICT", "old", true, ["a"]],
  },
  {
    title: "A store that is called after clearCache is not cleared",
    run: (store) => after([store.clearCache(), store.store("b", 1)], () => store.retrieve("b")),
    expected: 1,
  },
];

/** In one store, a read sees every write that was called before it, awaited or not. */
export const readYourWrites: readonly ContractCase[] = [
  ...sequences.flatMap(({ title, run, expected }): ContractCase[] => [
    {
      title,
      run: async ({ openStore }) => {
        await openStore().store("a", "old");
        // The second time, its parts have loaded and memory holds the key.
        const store = openStore();
        assert.deepEqual(await run(store), expected);
        await store.close();
        const loaded = openStore();
        await loaded.bulkStore({ a: "old" });
        await Promise.all((await loaded.listKeys()).filter((key) => key !== "a").map((key) => loaded.delete(key)));
        assert.deepEqual(await run(loaded), expected);
      },
    },
    {
      title: `${title}, without a server`,
      outage: true,
      run: async ({ openStore, server }) => {
        await server.disconnect();
        await openStore().store("a", "old");
        assert.deepEqual(await run(openStore()), expected);
      },
    },
  ]),
  {
    title: "Reads see clearCache that was called before them",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2 });
      const reads = [
        store.clearCache(),
        store.retrieve("a"),
        store.retrieve("b", { useCache: false }),
        store.exists("a"),
        store.listKeys(),
      ];
      assert.deepEqual<unknown>(await Promise.all(reads), [undefined, undefined, undefined, false, []]);
    },
  },
  {
    title: "pendingWrites, flush and getStorageStats count a write that was called before them, without a server",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      const storing = store.store("a", 1);
      const [pending, flushed, stats] = await Promise.all([store.pendingWrites(), store.flush(), store.getStorageStats()]);
      assert.deepEqual(
        pending.map(({ key }) => key),
        ["a"],
      );
      assert.deepEqual(flushed, { published: 0, pending: 1, rejected: 0 });
      assert.equal(stats.pendingWrites, 1);
      assert.isFalse(await storing);
    },
  },
  {
    title: "A read does not wait until the write before it is published",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore({ timeoutMs: 20_000 });
      await store.ping();
      await server.hang();
      let isPublished = false;
      const storing = store.store("a", 1).then(() => (isPublished = true));
      assert.equal(await store.retrieve("a"), 1);
      assert.deepEqual(await store.listKeys(), ["a"]);
      assert.isFalse(isPublished);
      await server.restore();
      await storing;
    },
  },
  {
    title: "An aborted signal ends the wait of a read for an earlier write",
    run: async ({ openStore }) => {
      const store = openStore();
      const controller = new AbortController();
      const storing = store.store("a", 1);
      const { signal } = controller;
      const rejections = [store.retrieve("a", { signal }), store.bulkRetrieve(["a"], { signal })].map(rejection);
      const reason = new Error("no longer needed");
      controller.abort(reason);
      for (const error of await Promise.all(rejections)) assert.strictEqual<unknown>(error, reason);
      assert.isTrue(await storing);
    },
  },
  {
    title: "A read of an invalid key rejects INVALID_KEY while writes are under way",
    run: async ({ openStore }) => {
      const store = openStore();
      const storing = store.store("a", 1);
      await assertRejects(store.retrieve(""), "INVALID_KEY");
      await storing;
    },
  },
];

/** The result of a read that is called at once, though the writes are under way. */
async function after<T>(writes: readonly Promise<unknown>[], read: () => Promise<T>): Promise<T> {
  const [found] = await Promise.all([read(), ...writes]);
  return found;
}
