import { assert } from "chai";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";

const numbered = (count: number): [string, number][] => Array.from({ length: count }, (_, index) => [`k${index}`, index]);

function* failing(): Generator<never> {
  yield* [];
  throw new Error("failed");
}

class Thenable {
  then(resolve: (items: unknown) => void): void {
    resolve({ a: 1 });
  }
}

/** Arguments that are neither a plain object nor an iterable of pairs. */
const noItems: readonly [of: string, items: () => unknown][] = [
  ["a promise", () => Promise.resolve({ a: 1 })],
  [
    "an async generator",
    async function* () {
      yield* [["a", 1]];
    },
  ],
  ["an instance of a class with a method `then`", () => new Thenable()],
  ["an async iterable of the app", () => ({ [Symbol.asyncIterator]: () => failing() })],
  ["a Blob", () => new Blob(["a"])],
  ["a Date", () => new Date()],
  ["an Error", () => new Error("a")],
  ["a WeakMap", () => new WeakMap()],
  ["a Response", () => new Response("a")],
  [
    "a revoked proxy",
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
  ["an iterator that throws", failing],
  ["a key without a value", () => [["a"]]],
  ["a fourth element", () => [["a", 1, {}, 2]]],
  ["keys", () => ["ab"]],
];

/** Operations on many keys. */
export const bulkAndLists: readonly ContractCase[] = [
  {
    title: "bulkStore accepts an object, a Map or pairs, and resolves with a result for each key",
    run: async ({ openStore, server }) => {
      const store = openStore();
      const twice = [
        ["d", 4],
        ["d", 5],
      ] as const;
      const results = {
        ofObject: await store.bulkStore({ a: 1, b: 2 }),
        ofMap: await store.bulkStore(new Map([["c", 3]])),
        ofPairs: await store.bulkStore(twice),
      };
      assert.deepEqual(results, {
        ofObject: new Map([
          ["a", true],
          ["b", true],
        ]),
        ofMap: new Map([["c", true]]),
        ofPairs: new Map([["d", true]]),
      });
      assert.deepEqual(
        await openStore().bulkRetrieve(["a", "b", "c", "d"]),
        new Map([
          ["a", 1],
          ["b", 2],
          ["c", 3],
          ["d", 5],
        ]),
      );
      const messages = await server.waitForMessages(4);
      assert.deepEqual(
        messages.map(({ envelope }) => envelope?.key),
        ["a", "b", "c", "d"],
      );
    },
  },
  {
    title: "bulkStore applies its options to each entry",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ a: "1", b: "2" }, { format: "text", ttl: 60, tags: ["t"] });
      for (const key of ["a", "b"]) assert.deepInclude(await store.getMetadata(key), { format: "text", ttl: 60, tags: ["t"] });
    },
  },
  {
    title: "bulkStore stores and publishes 1,500 entries and reports its progress",
    run: async ({ openStore, server }) => {
      const store = openStore();
      const progress: [done: number, total: number][] = [];
      await store.bulkStore(numbered(1_500), { onProgress: (done, total) => progress.push([done, total]) });
      assert.deepEqual(progress.at(-1), [1_500, 1_500]);
      assert.deepEqual(
        progress,
        progress.toSorted(([a], [b]) => a - b),
      );
      assert.deepEqual(await openStore().bulkRetrieve(numbered(1_500).map(([key]) => key)), new Map(numbered(1_500)));
      assert.lengthOf(await server.waitForMessages(1_500), 1_500);
    },
  },
  {
    title: "bulkStore writes nothing when one item is invalid",
    run: async ({ openStore, server, database }) => {
      const store = openStore();
      await assertRejects(store.bulkStore({ a: 1, b: Number.NaN }), "INVALID_VALUE");
      await assertRejects(store.bulkStore([["a", 1], ["b"]] as unknown as [string, number][]), "INVALID_VALUE");
      await assertRejects(store.bulkStore(1 as unknown as object as Record<string, unknown>), "INVALID_VALUE");
      assert.isFalse(await store.exists("a"));
      assert.isEmpty(await database.keys());
      assert.isEmpty(await server.messages());
    },
  },
  ...noItems.map(([of, items]) => ({
    title: `bulkStore refuses ${of} as its items`,
    run: async ({ openStore }: Environment) => {
      await assertRejects(openStore().bulkStore(items() as Record<string, unknown>), "INVALID_VALUE");
    },
  })),
  {
    title: "bulkRetrieve refuses a promise of keys and an iterator that throws",
    run: async ({ openStore }) => {
      const store = openStore();
      await assertRejects(store.bulkRetrieve(Promise.resolve(["a"]) as unknown as string[]), "INVALID_KEY");
      await assertRejects(store.bulkRetrieve(failing()), "INVALID_KEY");
    },
  },
  {
    title: "bulkStore of no items resolves with an empty Map",
    run: async ({ openStore }) => {
      assert.deepEqual(await openStore().bulkStore({}), new Map());
    },
  },
  {
    title: "A bulkStore that is called after a store of the same key replaces its value",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await Promise.all([
        store.store("k", "first", { format: "structured" }), // its serializer has to be loaded
        store.bulkStore({ k: "second" }),
        store.store("k", new Blob(["third"]), { format: "binary" }), // its bytes have to be read
        store.bulkStore({ k: "fourth" }),
      ]);
      assert.equal(await openStore().retrieve("k"), "fourth");
      assert.equal((await server.messages()).at(-1)?.envelope?.value, '"fourth"');
    },
  },
  {
    title: "bulkRetrieve resolves with the entries that exist, in the order of the given keys",
    run: async ({ openStore }) => {
      await openStore().bulkStore({ a: 1, b: 2, c: 3 });
      const store = openStore();
      await store.retrieve("b");
      for (const options of [{}, { useCache: false }]) {
        assert.deepEqual(
          [...(await store.bulkRetrieve(["c", "absent", "b", "a"], options))],
          [
            ["c", 3],
            ["b", 2],
            ["a", 1],
          ],
        );
      }
    },
  },
  {
    title: "listKeys matches patterns as Python's fnmatch does and sorts by code unit",
    run: async ({ openStore }) => {
      await openStore().bulkStore({ "user:2": 1, "user:10": 1, "user:é": 1, User: 1, "a*b": 1, "a.b": 1 });
      const store = openStore();
      assert.deepEqual(await store.listKeys(), ["User", "a*b", "a.b", "user:10", "user:2", "user:é"]);
      assert.deepEqual(await store.listKeys("user:*"), ["user:10", "user:2", "user:é"]);
      assert.deepEqual(await store.listKeys("user:?"), ["user:2", "user:é"]);
      assert.deepEqual(await store.listKeys("user:[!0-9]"), ["user:é"]);
      assert.deepEqual(await store.listKeys("a[*]b"), ["a*b"]);
      assert.deepEqual(await store.listKeys("absent*"), []);
    },
  },
  {
    title: "listKeys returns every key of a bulkStore of 1,200 entries except the deleted one",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(1_200));
      await store.delete("k7");
      const expected = numbered(1_200)
        .map(([key]) => key)
        .filter((key) => key !== "k7");
      assert.deepEqual(await openStore().listKeys("k*"), expected.toSorted());
    },
  },
];
