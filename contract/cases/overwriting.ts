import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { published } from "../support/messages.ts";
import { KEY, situations } from "./situations.ts";

/** The state of the key after the operation. */
interface Expected {
  /** Undefined if the key is absent. */
  readonly value: string | undefined;
  /** The version of the newest write. */
  readonly version: number;
}

const REPLACED: Expected = { value: "new", version: 2 };

/** One way to write a key that exists. */
interface Operation {
  readonly title: (key: string) => string;
  readonly run: (store: NASKeyStore) => Promise<void>;
  readonly expected: Expected;
}

const operations: readonly Operation[] = [
  {
    title: (key) => `A store of a key ${key} replaces the old value`,
    run: async (store) => assert.isTrue(await store.store(KEY, "new")),
    expected: REPLACED,
  },
  {
    title: (key) => `An update of a key ${key} replaces the old value`,
    run: async (store) => assert.isTrue(await store.update(KEY, "new")),
    expected: REPLACED,
  },
  {
    title: (key) => `A delete of a key ${key} resolves true and removes the entry`,
    run: async (store) => assert.isTrue(await store.delete(KEY)),
    expected: { value: undefined, version: 2 },
  },
  {
    title: (key) => `A bulkStore of a key ${key} among new keys replaces the old value`,
    run: async (store) => {
      const results = await store.bulkStore({ new1: 1, [KEY]: "new", new2: 2 });
      assert.deepEqual(
        [...results],
        [
          ["new1", true],
          [KEY, true],
          ["new2", true],
        ],
      );
      assert.deepEqual(
        await store.bulkRetrieve(["new1", "new2"]),
        new Map([
          ["new1", 1],
          ["new2", 2],
        ]),
      );
    },
    expected: REPLACED,
  },
  {
    title: (key) => `A store with the current version of a key ${key} replaces the old value`,
    run: async (store) => assert.isTrue(await store.store(KEY, "new", { ifVersion: 1 })),
    expected: REPLACED,
  },
  {
    title: (key) => `A write with another version of a key ${key} rejects VERSION_CONFLICT and changes nothing`,
    run: async (store) => {
      await assertRejects(store.store(KEY, "wrong", { ifVersion: 0 }), "VERSION_CONFLICT");
      await assertRejects(store.store(KEY, "wrong", { ifVersion: 2 }), "VERSION_CONFLICT");
      await assertRejects(store.update(KEY, "wrong", { ifVersion: 0 }), "VERSION_CONFLICT");
      await assertRejects(store.delete(KEY, { ifVersion: 0 }), "VERSION_CONFLICT");
    },
    expected: { value: "old", version: 1 },
  },
];

/** Fails unless the store, a new store and IndexedDB agree, and the newest write is the last published one. */
async function assertHolds({ openStore, server }: Environment, store: NASKeyStore, { value, version }: Expected): Promise<void> {
  for (const reader of [store, openStore()]) {
    for (const useCache of [true, false]) assert.equal(await reader.retrieve(KEY, { useCache }), value);
    assert.equal(await reader.exists(KEY), value !== undefined);
    assert.equal((await reader.getMetadata(KEY))?.version, value === undefined ? undefined : version);
    assert.equal((await reader.listKeys()).includes(KEY), value !== undefined);
  }
  const newest = { key: KEY, version, value: value === undefined ? undefined : JSON.stringify(value) };
  const old = { key: KEY, version: 1, value: '"old"' };
  assert.deepEqual(await published(server, KEY), version === 1 ? [old] : [old, newest]);
}

/** Writes to keys that exist but are not in the store's memory cache. Reads and messages show the outcome. */
export const overwriting: readonly ContractCase[] = situations.flatMap(({ key, kills = false, arrange }) =>
  operations.map(({ title, run, expected }) => ({
    title: title(key),
    kills,
    run: async (environment: Environment) => {
      const store = await arrange(environment);
      await run(store);
      await assertHolds(environment, store, expected);
    },
  })),
);
