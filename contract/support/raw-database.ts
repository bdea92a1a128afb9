import type { RawDatabase, RawRow } from "../environment.ts";

/** Reads and changes the entries of a namespace without the library. Depends on the form of rows, not on their place in records. */
export function rawDatabase(namespace: string): RawDatabase {
  return {
    keys: async () => {
      const keys: string[] = [];
      await visitRows(namespace, "readonly", ({ key }) => {
        keys.push(key);
        return false;
      });
      return keys.toSorted();
    },
    flipBit: (key) => changeRow(namespace, key, (row) => void (row.payload = flipped(row.payload))),
    changeRow: (key, change) => changeRow(namespace, key, change),
    hold: () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open(`nas-keystore/${namespace}`);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => resolve(() => opening.result.close());
      }),
  };
}

async function changeRow(namespace: string, key: string, change: (row: RawRow) => void): Promise<void> {
  const isFound = await visitRows(namespace, "readwrite", (row) => {
    if (row.key !== key) return false;
    change(row);
    return true;
  });
  if (!isFound) throw new Error(`The database has no entry "${key}".`);
}

/**
 * Calls `visit` for each row.
 * @param visit returns true if it has changed the row
 * @returns whether any row was changed
 */
function visitRows(namespace: string, mode: IDBTransactionMode, visit: (row: RawRow) => boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(`nas-keystore/${namespace}`);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction("entries", mode);
      let isChanged = false;
      transaction.objectStore("entries").openCursor().onsuccess = ({ target }) => {
        const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
        if (cursor === null) return;
        const record: unknown = cursor.value;
        const changed = rowsIn(record).filter(visit);
        if (changed.length > 0) {
          isChanged = true;
          cursor.update(record);
        }
        cursor.continue();
      };
      transaction.oncomplete = () => {
        database.close();
        resolve(isChanged);
      };
      transaction.onabort = () => {
        database.close();
        reject(transaction.error ?? new Error("The transaction was aborted."));
      };
    };
  });
}

function rowsIn(record: unknown): RawRow[] {
  if (typeof record !== "object" || record === null || record instanceof Uint8Array) return [];
  const { key, payload } = record as Partial<RawRow>;
  if (typeof key === "string" && payload !== undefined) return [record as RawRow];
  return Object.values(record).flatMap(rowsIn);
}

function flipped(payload: string | Uint8Array): string | Uint8Array {
  if (typeof payload === "string") return String.fromCharCode(payload.charCodeAt(0) ^ 1) + payload.slice(1);
  const bytes = payload.slice();
  bytes[0]! ^= 1;
  return bytes;
}
