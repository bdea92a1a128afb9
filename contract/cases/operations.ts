import { assert } from "chai";
import type { ContractCase } from "../environment.ts";

export const operations: readonly ContractCase[] = [
  {
    title: "A stored value is returned by the same store, by a new store and in another tab",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      assert.isTrue(await store.store("user:1", { name: "Ada", age: 36 }));
      const tab = await openTab();
      for (const reader of [store, openStore(), tab]) assert.deepEqual(await reader.retrieve("user:1"), { name: "Ada", age: 36 });
    },
  },
];
