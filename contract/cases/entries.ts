import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { details } from "../support/events.ts";

const numbered = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${String(index).padStart(4, "0")}`, index]));

/** The keys and values of an iteration. */
async function all(store: Pick<NASKeyStore, "entries">, ...given: Parameters<NASKeyStore["entries"]>): Promise<[string, unknown][]> {
  const found: [string, unknown][] = [];
  for await (const [key, value] of store.entries(...given)) found.push([key, value]);
  return found;
}

/** All pages of keys. */
async function pages(store: NASKeyStore, pattern: string, options: { tag?: string; limit: number }): Promise<string[][]> {
  const found: string[][] = [];
  for (let after = ""; ; after = found.at(-1)?.at(-1) ?? "") {
    const page = await store.listKeys(pattern, { ...options, after });
    if (page.length === 0) return found;
    found.push(page);
  }
}

/** Iterating over entries, and pages of keys. */
export const entries: readonly ContractCase[] = [
  {
    title: "entries iterates over the keys, values and metadata of a pattern or a tag, sorted by code unit, as listKeys lists them",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ "user:b": 1, "user:a": { n: 2 }, "user:é": "3", other: 4, "😀": 5, "\uffff": 6 });
      await store.store("user:c", new Uint8Array([7]), { format: "binary", tags: ["t"], ttl: 60 });
      await store.store("cart:c", new Date(8), { format: "structured", tags: ["t"] });
      assert.deepEqual(
        (await all(store)).map(([key]) => key),
        await store.listKeys(),
      );
      assert.deepEqual(await all(store, "user:?"), [
        ["user:a", { n: 2 }],
        ["user:b", 1],
        ["user:c", new Uint8Array([7])],
        ["user:é", "3"],
      ]);
      assert.deepEqual(await all(store, "*", { tag: "t" }), [
        ["cart:c", new Date(8)],
        ["user:c", new Uint8Array([7])],
      ]);
      assert.deepEqual(await all(store, "user:*", { tag: "absent" }), []);
      for await (const [key, , metadata] of store.entries()) assert.deepEqual(metadata, await store.getMetadata(key));
    },
  },
  {
    title: "entries iterates over 1,500 entries of several bulk calls once each, in order",
    run: async ({ openStore }) => {
      const store = openStore();
      const items = Object.entries(numbered(1_500));
      // Keys of different calls alternate.
      for (const part of [0, 1, 2]) await store.bulkStore(items.filter((_, index) => index % 3 === part));
      assert.deepEqual(await all(openStore()), items);
    },
  },
  {
    title: "entries sees writes that were called before a page, also when they are not awaited, and those of its own loop on later pages",
    run: async ({ openStore }) => {
      const store = openStore();
      void store.bulkStore(numbered(400));
      const seen: string[] = [];
      for await (const [key] of store.entries()) {
        seen.push(key);
        if (key !== "k0000") continue;
        void store.store("k0399x", 1);
        void store.delete("k0398");
      }
      assert.lengthOf(seen, 400);
      assert.deepEqual(seen.slice(-2), ["k0399", "k0399x"]);
    },
  },
  {
    title: "entries leaves out expired, deleted and damaged entries, and dispatches `corrupt` for each damaged one",
    run: async ({ openStore, database, setClock }) => {
      setClock(Date.UTC(2030, 0, 1));
      const store = openStore();
      await store.bulkStore({ a: 1, damaged: 2, deleted: 3, e: 4 });
      await store.store("expired", 5, { ttl: 1 });
      await store.delete("deleted");
      await database.flipBit("damaged");
      setClock(Date.UTC(2030, 0, 1) + 2_000);
      const reader = openStore();
      const corrupt = details(reader, "corrupt");
      assert.deepEqual(await all(reader), [
        ["a", 1],
        ["e", 4],
      ]);
      assert.deepEqual(
        corrupt.map(({ key, error }) => [key, error.code]),
        [["damaged", "CHECKSUM_MISMATCH"]],
      );
    },
  },
  {
    title: "entries fills no memory cache, and neither hits nor misses it",
    run: async ({ openStore }) => {
      await openStore().bulkStore(numbered(10));
      const store = openStore();
      assert.lengthOf(await all(store), 10);
      assert.deepInclude(store.getCacheStats(), { size: 0, hits: 0, misses: 0 });
    },
  },
  {
    title: "entries works offline, with the metadata of pending writes",
    outage: true,
    run: async ({ openStore, openTab, server }) => {
      await server.disconnect();
      const store = openStore();
      await store.store("a", 1);
      await (await openTab()).store("b", 2);
      const pending: [string, boolean][] = [];
      for await (const [key, , metadata] of store.entries()) pending.push([key, metadata.pending]);
      assert.deepEqual(pending, [
        ["a", true],
        ["b", true],
      ]);
    },
  },
  {
    title: "close does not wait for an iteration that has stopped in the middle, and its next step rejects CLOSED",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(10));
      const iterator = store.entries()[Symbol.asyncIterator]();
      assert.equal((await iterator.next()).value?.[0], "k0000");
      await store.close();
      await assertRejects(iterator.next(), "CLOSED");
      assert.isTrue((await iterator.next()).done);
    },
  },
  {
    title: "A loop over entries that is left early needs nothing more, also on a store that is closed",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(10));
      for await (const [key] of store.entries()) {
        assert.equal(key, "k0000");
        await store.close();
        break;
      }
    },
  },
  {
    title: "A signal that is aborted ends an iteration with its reason",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(10));
      const controller = new AbortController();
      const reason = new Error("no longer needed");
      const seen: string[] = [];
      const loop = async (): Promise<void> => {
        for await (const [key] of store.entries("*", { signal: controller.signal })) {
          seen.push(key);
          if (seen.length === 3) controller.abort(reason);
        }
      };
      assert.strictEqual<unknown>(await rejection(loop()), reason);
      assert.lengthOf(seen, 3);
    },
  },
  {
    title: "entries rejects INVALID_OPTION at the first step",
    run: async ({ openStore }) => {
      const store = openStore();
      const unreadable = {
        get tag(): string {
          throw new Error("no tag today");
        },
      };
      const wrong: unknown[][] = [[5], [null], ["*", 5], ["*", { tag: 5 }], ["*", { limit: 5 }], ["*", unreadable]];
      for (const given of wrong) {
        const iterable = (store.entries as (...args: unknown[]) => AsyncIterable<unknown>)(...given);
        await assertRejects(iterable[Symbol.asyncIterator]().next(), "INVALID_OPTION");
      }
    },
  },
  {
    title: "The pages of listKeys with a limit have the same keys, in the same order, as listKeys without a limit",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(150));
      await store.bulkStore({ "user:a": 1, "user:b": 1, "user:c": 1, "\uffff": 1, "😀": 1 }, { tags: ["t"] });
      const reader = openStore();
      assert.deepEqual((await pages(reader, "*", { limit: 64 })).flat(), await reader.listKeys());
      assert.deepEqual(await pages(reader, "user:*", { limit: 2 }), [["user:a", "user:b"], ["user:c"]]);
      assert.deepEqual((await pages(reader, "k*[05]", { limit: 7 })).flat(), await reader.listKeys("k*[05]"));
      assert.deepEqual(await pages(reader, "*", { tag: "t", limit: 3 }), [
        ["user:a", "user:b", "user:c"],
        ["😀", "\uffff"],
      ]);
      assert.deepEqual(await reader.listKeys("k*", { after: "k0147" }), ["k0148", "k0149"]);
      assert.deepEqual(await reader.listKeys("user:*", { after: "z", limit: 1 }), []);
      assert.deepEqual(await reader.listKeys("user:*", { after: "a", limit: 1 }), ["user:a"]);
    },
  },
  {
    title: "A page of listKeys counts neither expired nor deleted keys",
    run: async ({ openStore, setClock }) => {
      const now = Date.UTC(2030, 0, 1);
      setClock(now);
      const store = openStore();
      await store.bulkStore({ a: 1, b: 1, c: 1 }, { ttl: 1 });
      await store.bulkStore({ d: 1, e: 1, f: 1 });
      await store.delete("d");
      setClock(now + 2_000);
      assert.deepEqual(await openStore().listKeys("*", { limit: 1 }), ["e"]);
      assert.deepEqual(await store.listKeys("*", { limit: 1, after: "e" }), ["f"]);
    },
  },
  {
    title: "listKeys refuses an invalid limit or key, and names the option",
    run: async ({ openStore }) => {
      const wrong: readonly [option: string, value: unknown][] = [
        ["limit", 0],
        ["limit", 1.5],
        ["limit", Infinity],
        ["limit", "1"],
        ["after", 1],
        ["after", "\ud800"],
      ];
      for (const [option, value] of wrong) {
        assert.equal((await assertRejects(openStore().listKeys("*", { [option]: value }), "INVALID_OPTION")).option, option);
      }
      assert.deepEqual(await openStore().listKeys("*", { limit: Number.MAX_SAFE_INTEGER }), []);
    },
  },
];
