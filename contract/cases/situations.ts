import type { NASKeyStore } from "nas-keystore";
import type { Environment } from "../environment.ts";
import { until } from "../support/waiting.ts";

/** The key that every situation stores once, as "old". */
export const KEY = "k07";

/** A way in which a key exists, but not in a store's memory cache. */
export interface Situation {
  /** Completes "A store of a key …". */
  readonly key: string;
  readonly kills?: boolean;
  /** Stores the key and resolves to the store that is to overwrite it. */
  readonly arrange: (environment: Environment) => Promise<NASKeyStore>;
}

/** Entries that are stored together. There are enough of them for the library to write blocks. */
export const block: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 64 }, (_, index) => [`k${String(index).padStart(2, "0")}`, "old"]),
);

export const situations: readonly Situation[] = [
  {
    key: "that an earlier store wrote",
    arrange: async ({ openStore }) => {
      const earlier = openStore();
      await earlier.store(KEY, "old");
      await earlier.close();
      return openStore();
    },
  },
  {
    key: "that a closed tab wrote",
    arrange: async ({ openStore, openTab }) => {
      const tab = await openTab();
      await tab.store(KEY, "old");
      await tab.close();
      return openStore();
    },
  },
  {
    key: "that a killed tab wrote",
    kills: true,
    arrange: async ({ openStore, openTab }) => {
      const tab = await openTab();
      await tab.store(KEY, "old");
      // WebKitGTK may leave the database blocked when it ends a worker whose transactions wait. See docs/RELIABILITY.md.
      await until("the tab has settled its write", async () => (await tab.pendingWrites()).length === 0);
      await tab.kill();
      return openStore();
    },
  },
  {
    key: "that another open tab wrote",
    arrange: async ({ openStore, openTab }) => {
      const store = openStore();
      await (await openTab()).store(KEY, "old");
      return store;
    },
  },
  {
    key: "that the memory cache has evicted",
    arrange: async ({ openStore }) => {
      const store = openStore({ cacheSize: 1 });
      await store.store(KEY, "old");
      await store.store("other", 1);
      return store;
    },
  },
  {
    key: "of a store without a memory cache",
    arrange: async ({ openStore }) => {
      const store = openStore({ cacheSize: 0 });
      await store.store(KEY, "old");
      return store;
    },
  },
  {
    key: "in a block",
    arrange: async ({ openStore }) => {
      const store = openStore({ cacheSize: 1 });
      await store.bulkStore(block);
      return store;
    },
  },
  {
    key: "in a block that another tab wrote",
    arrange: async ({ openStore, openTab }) => {
      await (await openTab()).bulkStore(block);
      return openStore();
    },
  },
];
