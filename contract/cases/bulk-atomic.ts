import { assert } from "chai";
import type { BulkItem } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { published } from "../support/messages.ts";

const numbered = (count: number): BulkItem[] => Array.from({ length: count }, (_, index) => [`k${String(index).padStart(4, "0")}`, index]);
const LAST = "k0599";

/** bulkStore with all items or none, and with options of single items. */
export const bulkAtomic: readonly ContractCase[] = [
  {
    title: "An atomic bulkStore stores and publishes all of its 600 items, and reports its progress once",
    run: async ({ openStore, server }) => {
      const store = openStore();
      const progress: [done: number, total: number][] = [];
      const results = await store.bulkStore(numbered(600), { atomic: true, onProgress: (...told) => progress.push(told) });
      assert.deepEqual(results, new Map(numbered(600).map(([key]) => [key, true])));
      assert.deepEqual(progress, [[600, 600]]);
      assert.lengthOf(await server.waitForMessages(600), 600);
      const values = new Map(numbered(600).map(([key, value]) => [key, value]));
      assert.deepEqual(await openStore().bulkRetrieve([...values.keys()]), values);
      assert.isEmpty(await store.pendingWrites());
    },
  },
  {
    title: "An atomic bulkStore whose last item conflicts rejects VERSION_CONFLICT with the item's key, and changes nothing",
    run: async ({ openStore, server, database }) => {
      const store = openStore();
      await store.store(LAST, "present");
      const items = numbered(600).map(([key, value]): BulkItem => [key, value, key === LAST ? { ifVersion: 0 } : {}]);
      const error = await assertRejects(store.bulkStore(items, { atomic: true }), "VERSION_CONFLICT");
      assert.equal(error.key, LAST);
      assert.isUndefined(error.results);
      assert.deepEqual(await database.keys(), [LAST]);
      assert.equal(await store.retrieve(LAST), "present");
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "Without atomic, a bulkStore whose last item conflicts keeps the slices before it, and its error has their results",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store(LAST, "present");
      const items = numbered(600).map(([key, value]): BulkItem => [key, value, key === LAST ? { ifVersion: 0 } : {}]);
      const error = await assertRejects(store.bulkStore(items), "VERSION_CONFLICT");
      assert.equal(error.key, LAST);
      const stored = (await store.listKeys()).filter((key) => key !== LAST);
      assert.deepEqual([...(error.results ?? new Map<string, boolean>()).keys()], stored);
      assert.isAbove(stored.length, 0);
    },
  },
  {
    title: "ifVersion in the options of a bulkStore applies to each item that brings none of its own",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("present", 1);
      const own: BulkItem[] = [
        ["new", 1],
        ["present", 2, { ifVersion: 1 }],
      ];
      await store.bulkStore(own, { atomic: true, ifVersion: 0 });
      const error = await assertRejects(store.bulkStore({ another: 1, present: 3 }, { atomic: true, ifVersion: 0 }), "VERSION_CONFLICT");
      assert.equal(error.key, "present");
      assert.deepEqual(await store.listKeys(), ["new", "present"]);
    },
  },
  {
    title: "The options of an item win over those of the call",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(
        [
          ["as the call", { a: 1 }],
          ["own", "text", { format: "text", ttl: null, tags: ["own"] }],
          ["partly", [1], { tags: [] }],
          ["not given", 1, { ttl: undefined } as object],
        ],
        { ttl: 60, tags: ["call"] },
      );
      assert.deepInclude(await store.getMetadata("as the call"), { format: "json", ttl: 60, tags: ["call"] });
      assert.deepInclude(await store.getMetadata("own"), { format: "text", ttl: null, tags: ["own"] });
      assert.deepInclude(await store.getMetadata("partly"), { format: "json", ttl: 60, tags: [] });
      assert.deepInclude(await store.getMetadata("not given"), { ttl: 60, tags: ["call"] });
      assert.equal(await openStore().retrieve("own"), "text");
    },
  },
  {
    title: "An invalid option of an item rejects INVALID_OPTION with the option and the key, and nothing is written",
    run: async ({ openStore, database }) => {
      const store = openStore();
      const wrong: readonly [options: unknown, option: string | undefined][] = [
        [{ ttl: 0 }, "ttl"],
        [{ format: "xml" }, "format"],
        [{ tags: "t" }, "tags"],
        [{ ifVersion: -1 }, "ifVersion"],
        [{ ifRevision: 1 }, "ifRevision"],
        [{ signal: new AbortController().signal }, "signal"],
        [null, undefined],
        ["60", undefined],
      ];
      for (const [options, option] of wrong) {
        const items = [
          ["a", 1],
          ["b", 2, options],
        ] as BulkItem[];
        const error = await assertRejects(store.bulkStore(items), "INVALID_OPTION");
        assert.deepEqual({ key: error.key, option: error.option }, { key: "b", option });
      }
      await assertRejects(store.bulkStore({ a: 1 }, { atomic: 1 as unknown as boolean }), "INVALID_OPTION");
      await assertRejects(store.bulkStore([["a", 1, {}, 2]] as unknown as BulkItem[]), "INVALID_VALUE");
      assert.isEmpty(await store.listKeys());
      assert.isEmpty(await database.keys());
    },
  },
  {
    title: "An atomic bulkStore offline is queued as a whole, is replaced as a whole, and is published once the server answers",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      await store.bulkStore(numbered(600), { atomic: true });
      const newer = numbered(600).map(([key]): BulkItem => [key, "newer"]);
      const results = await store.bulkStore(newer, { atomic: true });
      assert.isTrue([...results.values()].every((isConfirmed) => !isConfirmed));
      assert.lengthOf(await store.pendingWrites(), 600);
      await server.restore();
      assert.deepEqual(await store.flush(), { published: 600, pending: 0, rejected: 0 });
      assert.isTrue((await published(server)).every(({ version, value }) => version === 2 && value === '"newer"'));
    },
  },
  {
    title: "An atomic bulkStore with an aborted signal rejects with its reason, and changes nothing",
    run: async ({ openStore, database }) => {
      const store = openStore();
      await store.flush();
      const controller = new AbortController();
      const reason = new Error("no longer needed");
      const writing = rejection(store.bulkStore(numbered(600), { atomic: true, signal: controller.signal }));
      controller.abort(reason);
      assert.strictEqual<unknown>(await writing, reason);
      assert.isEmpty(await database.keys());
    },
  },
  {
    title: "Several atomic calls of the same keys leave the items of one of them",
    run: async ({ openStore, openTab }) => {
      const tabs = await Promise.all([openTab(), openTab()]);
      const writers = [openStore(), openStore(), ...tabs];
      await Promise.all(
        writers.map((writer, index) => writer.bulkStore(Object.fromEntries(numbered(300).map(([key]) => [key, index])), { atomic: true })),
      );
      const values = await openStore().bulkRetrieve(numbered(300).map(([key]) => key));
      assert.lengthOf([...new Set(values.values())], 1);
      assert.lengthOf([...values], 300);
    },
  },
];
