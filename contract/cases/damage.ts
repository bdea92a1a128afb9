import { assert } from "chai";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { details } from "../support/events.ts";
import { block, KEY } from "./situations.ts";

/** Stores the key in each layout that a row can have. */
const layouts: readonly { of: string; arrange: (environment: Environment) => Promise<void> }[] = [
  {
    of: "text",
    arrange: async ({ openStore }) => void (await openStore().store(KEY, "value", { format: "text" })),
  },
  {
    of: "binary data",
    arrange: async ({ openStore }) => void (await openStore().store(KEY, new Uint8Array(100), { format: "binary" })),
  },
  {
    of: "a compressed value",
    arrange: async ({ openStore }) => void (await openStore({ compression: { thresholdBytes: 1 } }).store(KEY, "a".repeat(1_000))),
  },
  {
    of: "an entry in a block",
    arrange: async ({ openStore }) => void (await openStore().bulkStore(block)),
  },
];

/** Entries whose stored payloads are damaged. */
export const damage: readonly ContractCase[] = [
  ...layouts.map(({ of, arrange }) => ({
    title: `Each read of ${of} with one changed bit rejects CHECKSUM_MISMATCH and dispatches \`corrupt\` until the key is stored again`,
    run: async (environment: Environment) => {
      const { openStore, database } = environment;
      await arrange(environment);
      await database.flipBit(KEY);
      const store = openStore();
      const corrupt = details(store, "corrupt");
      for (let read = 1; read <= 2; read++) {
        const error = await assertRejects(store.retrieve(KEY), "CHECKSUM_MISMATCH");
        assert.equal(error.key, KEY);
        assert.lengthOf(corrupt, read);
        assert.equal(corrupt.at(-1)?.key, KEY);
        assert.equal(corrupt.at(-1)?.error.code, "CHECKSUM_MISMATCH");
      }
      assert.isTrue(await store.store(KEY, "new"));
      assert.equal(await openStore().retrieve(KEY), "new");
      assert.equal((await store.getMetadata(KEY))?.version, 2);
    },
  })),
  {
    title: "bulkRetrieve leaves out a damaged entry, dispatches `corrupt` and returns the others",
    run: async ({ openStore, database }) => {
      await openStore().bulkStore({ a: 1, b: 2, c: 3 });
      await database.flipBit("b");
      const store = openStore();
      const corrupt = details(store, "corrupt");
      assert.deepEqual(
        await store.bulkRetrieve(["a", "b", "c"]),
        new Map([
          ["a", 1],
          ["c", 3],
        ]),
      );
      assert.deepEqual(
        corrupt.map(({ key }) => key),
        ["b"],
      );
    },
  },
  {
    title: "The other entries of a block stay readable and writable when one entry is damaged",
    run: async ({ openStore, database }) => {
      await openStore().bulkStore(block);
      await database.flipBit(KEY);
      const store = openStore();
      const found = await store.bulkRetrieve(Object.keys(block));
      assert.lengthOf([...found], 63);
      assert.isFalse(found.has(KEY));
      assert.isTrue(await store.store("k08", "new"));
      assert.isTrue(await store.delete("k09"));
      assert.equal(await openStore().retrieve("k08"), "new");
      assert.lengthOf(await store.listKeys(), 63);
    },
  },
  {
    title: "retrieve with useCache false rejects CHECKSUM_MISMATCH for a damaged row while the memory cache still returns the value",
    run: async ({ openStore, database }) => {
      const store = openStore();
      await store.store("k", "value");
      await database.flipBit("k");
      assert.equal(await store.retrieve("k"), "value");
      await assertRejects(store.retrieve("k", { useCache: false }), "CHECKSUM_MISMATCH");
    },
  },
  {
    title: "delete removes a damaged entry and resolves true",
    run: async ({ openStore, database }) => {
      await openStore().store("k", "value");
      await database.flipBit("k");
      const store = openStore();
      assert.isTrue(await store.delete("k"));
      assert.isUndefined(await store.retrieve("k"));
      assert.isFalse(await openStore().exists("k"));
    },
  },
];
