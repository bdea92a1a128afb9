import { assert } from "chai";
import type { ContractCase } from "../environment.ts";

/** Behaviour of IndexedDB that the library relies on. These cases do not use the library. */
export const indexedDb: readonly ContractCase[] = [
  {
    title: "A failed add aborts its transaction with a ConstraintError, and no request of the transaction takes effect",
    run: async ({ namespace }) => {
      const database = await opened(`plain/${namespace}`);
      await completed(database, (table) => void table.add("old", "existing"));

      const outcome = await completed(database, (table) => {
        table.put(1, "before");
        table.add("new", "existing");
        table.put(2, "after");
        // No commit(): with it, Firefox 153 keeps the rest of the transaction, and WebKitGTK 2.50 gives no error.
      }).catch((error: DOMException) => error.name);

      assert.equal(outcome, "ConstraintError");
      let keys: IDBValidKey[] = [];
      await completed(database, (table) => {
        table.getAllKeys().onsuccess = ({ target }) => (keys = (target as IDBRequest<IDBValidKey[]>).result);
      });
      assert.deepEqual(keys, ["existing"]);
      database.close();
    },
  },
  {
    title:
      "An add that violates a unique index aborts its transaction with a ConstraintError, and no request of the transaction takes effect",
    run: async ({ namespace }) => {
      const database = await opened(`plain/${namespace}`);
      await completed(database, (table) => void table.add({ unique: ["a", "b"] }, "existing"));

      const outcome = await completed(database, (table) => {
        table.put({ unique: ["c"] }, "before");
        table.add({ unique: ["b"] }, "new");
      }).catch((error: DOMException) => error.name);

      assert.equal(outcome, "ConstraintError");
      let count = 0;
      await completed(database, (table) => {
        table.count().onsuccess = ({ target }) => (count = (target as IDBRequest<number>).result);
      });
      assert.equal(count, 1);
      database.close();
    },
  },
];

function opened(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("table").createIndex("unique", "unique", { unique: true, multiEntry: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves when the transaction completes, rejects with its error when it aborts. */
function completed(database: IDBDatabase, work: (table: IDBObjectStore) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("table", "readwrite");
    transaction.oncomplete = () => resolve("complete");
    transaction.onabort = () => reject(transaction.error ?? new Error("The transaction was aborted without an error."));
    work(transaction.objectStore("table"));
  });
}
