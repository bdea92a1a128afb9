import { createStore, type UseStore } from "idb-keyval";

export interface KeyvalDatabase {
  readonly store: UseStore;
  end(): Promise<void>;
}

export function openKeyval(name: string): KeyvalDatabase {
  const store = createStore(name, "values");
  return {
    store,
    end: async () => {
      // idb-keyval keeps its connection to itself.
      await store("readonly", ({ transaction }) => transaction.db.close());
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = resolve;
        request.onerror = () => reject(request.error);
      });
    },
  };
}
