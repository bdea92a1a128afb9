import type { Page } from "@playwright/test";

/** The records of a namespace's database. */
export interface Dump {
  entries: [key: IDBValidKey, row: unknown][];
  outbox: [key: IDBValidKey, row: unknown][];
}

/** The functions of `probe` in a page. They read and change the database without the library. */
export interface Probe {
  dump(namespace: string): Promise<Dump>;
  /** Replaces the contents of the tables. */
  restore(namespace: string, dump: Dump): Promise<void>;
  put(namespace: string, table: keyof Dump, records: readonly (readonly [IDBValidKey, unknown])[]): Promise<void>;
  /** Whether two values are deeply equal, for the types that `structured` keeps, with -0 and NaN. */
  same(a: unknown, b: unknown): boolean;
  sha256(data: string | Uint8Array<ArrayBuffer>): Promise<string>;
  gzip(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Random numbers from 0 to below 1, the same ones for the same seed. */
  random(seed: number): () => number;
  /** Moves `Date.now()`. The clock continues from there. */
  moveClock(byMs: number): void;
  /** The sum of all moves. */
  clockOffset(): number;
}

declare global {
  var probe: Probe;
}

/** Puts the probe into a page, until the next load of the page. */
export async function installProbe(page: Page): Promise<void> {
  await page.evaluate(install);
}

/** Runs in the page. Must refer to nothing outside itself. */
function install(): void {
  const requested = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  const within = async <T>(
    namespace: string,
    mode: IDBTransactionMode,
    work: (transaction: IDBTransaction) => T | Promise<T>,
  ): Promise<T> => {
    const database = await requested(indexedDB.open(`nas-keystore/${namespace}`));
    try {
      const transaction = database.transaction(["entries", "outbox"], mode);
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      });
      const result = await work(transaction);
      await done;
      return result;
    } finally {
      database.close();
    }
  };

  const recordsOf = async (store: IDBObjectStore): Promise<[IDBValidKey, unknown][]> => {
    const [keys, rows] = await Promise.all([requested(store.getAllKeys()), requested<unknown[]>(store.getAll())]);
    return keys.map((key, index) => [key, rows[index]]);
  };

  const same = (a: unknown, b: unknown): boolean => {
    if (Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
    if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
    if (a instanceof Map) return same([...a], [...(b as Map<unknown, unknown>)]);
    if (a instanceof Set) return same([...a], [...(b as Set<unknown>)]);
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && same((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]))
    );
  };

  const realNow = Date.now.bind(Date);
  let offset = 0;

  globalThis.probe = {
    dump: (namespace) =>
      within(namespace, "readonly", async (transaction) => {
        const [entries, outbox] = await Promise.all([
          recordsOf(transaction.objectStore("entries")),
          recordsOf(transaction.objectStore("outbox")),
        ]);
        // The version floor is under a key of its own.
        return { entries, outbox: outbox.filter(([key]) => Array.isArray(key)) };
      }),
    restore: (namespace, dump) =>
      within(namespace, "readwrite", (transaction) => {
        for (const table of ["entries", "outbox"] as const) {
          const store = transaction.objectStore(table);
          store.clear();
          for (const [key, row] of dump[table]) store.put(row, key);
        }
      }),
    put: (namespace, table, records) =>
      within(namespace, "readwrite", (transaction) => {
        for (const [key, row] of records) transaction.objectStore(table).put(row, key);
      }),
    same,
    sha256: async (data) => {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    gzip: async (data) => {
      const compressed = new Blob([data]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Uint8Array(await new Response(compressed).arrayBuffer());
    },
    random: (seed) => {
      let state = seed >>> 0;
      return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
      };
    },
    moveClock: (byMs) => {
      offset += byMs;
      Date.now = () => realNow() + offset;
    },
    clockOffset: () => offset,
  };
}
