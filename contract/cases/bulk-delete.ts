import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { published } from "../support/messages.ts";

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `k${String(index).padStart(4, "0")}`);

/** Deleting many keys. */
export const bulkDelete: readonly ContractCase[] = [
  {
    title: "bulkDelete deletes and publishes 600 keys, and resolves to whether each existed",
    run: async ({ openStore, server, database }) => {
      const store = openStore();
      await store.bulkStore(names(600).map((key) => [key, 1] as const));
      const progress: [done: number, total: number][] = [];
      const keys = new Set(["absent", ...names(600)]);
      const results = await store.bulkDelete(keys, { onProgress: (...told) => progress.push(told) });
      assert.deepEqual([...results], [["absent", false], ...names(600).map((key) => [key, true])] as [string, boolean][]);
      assert.deepEqual(progress.at(-1), [601, 601]);
      assert.isAbove(progress.length, 1);
      assert.lengthOf(
        (await published(server)).filter(({ value }) => value === undefined),
        601,
      );
      await store.flush();
      assert.isEmpty(await database.keys());
      assert.isEmpty(await openStore().listKeys());
    },
  },
  {
    title: "bulkDelete takes no keys, a key given twice, an expired entry and a damaged entry",
    run: async ({ openStore, database, setClock }) => {
      const now = Date.UTC(2030, 0, 1);
      setClock(now);
      const store = openStore();
      await store.bulkStore({ twice: 1, damaged: 2, stays: 3 });
      await store.store("expired", 4, { ttl: 1 });
      await database.flipBit("damaged");
      setClock(now + 2_000);
      assert.deepEqual(await store.bulkDelete([]), new Map());
      assert.deepEqual(
        await store.bulkDelete(["twice", "damaged", "expired", "twice"]),
        new Map([
          ["twice", true],
          ["damaged", true],
          ["expired", false],
        ]),
      );
      assert.deepEqual(await openStore().listKeys(), ["stays"]);
    },
  },
  {
    title: "Reads and writes of a key keep the order of the calls around a bulkDelete",
    run: async ({ openStore }) => {
      const store = openStore();
      const calls = [store.store("a", 1), store.bulkDelete(["a", "b"]), store.retrieve("a"), store.store("b", 2), store.retrieve("b")];
      const [, deleted, absent, , present] = await Promise.all(calls);
      assert.deepEqual(
        deleted,
        new Map([
          ["a", true],
          ["b", false],
        ]),
      );
      assert.deepEqual([absent, present], [undefined, 2]);
    },
  },
  {
    title: "bulkDelete offline hides the entries at once, and is published once the server answers",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2 });
      await server.disconnect();
      assert.deepEqual(
        await store.bulkDelete(["a", "b"]),
        new Map([
          ["a", true],
          ["b", true],
        ]),
      );
      assert.isEmpty(await openStore().listKeys());
      await server.restore();
      await store.flush();
      assert.deepEqual(
        (await published(server)).slice(-2).map(({ key, value }) => [key, value]),
        [
          ["a", undefined],
          ["b", undefined],
        ],
      );
    },
  },
  {
    title: "bulkDelete refuses keys that are no iterable of keys, and deletes nothing when its signal is aborted before",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("a", 1);
      for (const keys of ["a", 5, null, { a: 1 }, Promise.resolve(["a"]), ["a", ""]]) {
        await assertRejects(store.bulkDelete(keys as string[]), "INVALID_KEY");
      }
      const reason = new Error("no longer needed");
      assert.strictEqual<unknown>(await rejection(store.bulkDelete(["a"], { signal: AbortSignal.abort(reason) })), reason);
      assert.deepEqual(await store.listKeys(), ["a"]);
    },
  },
];
