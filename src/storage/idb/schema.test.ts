import { describe, expect, it } from "vitest";
import { codeOf } from "../../testing/errors.ts";
import { resultOf, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { Database } from "./database.ts";
import { ENTRIES, UPGRADES, type Upgrade } from "./schema.ts";

useFreshIndexedDB();

const NAME = "nas-keystore/test";

function open(upgrades: readonly Upgrade[]): Database {
  return new Database(NAME, { onLost: () => undefined, onReset: () => undefined }, upgrades);
}

async function contents(database: Database): Promise<unknown> {
  return database.run([ENTRIES], "readonly", async (transaction) => resultOf(transaction.objectStore(ENTRIES).getAll()));
}

describe("an upgrade", () => {
  /** An invented version of the tables: entries lie in a table "values" and have no names for their fields. */
  const invented: Upgrade = (database, transaction) => {
    database.createObjectStore("values");
    transaction.objectStore("values").put(["payload", 3], "a");
  };
  /** From the invented version to the present one. */
  const fromInvented: Upgrade = (database, transaction) => {
    UPGRADES[0]?.(database, transaction);
    transaction.objectStore("values").openCursor().onsuccess = ({ target }) => {
      const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
      if (cursor === null) return database.deleteObjectStore("values");
      const [payload, version] = cursor.value as [string, number];
      transaction.objectStore(ENTRIES).put({ payload, version, under: cursor.key }, cursor.key);
      cursor.continue();
    };
  };

  async function makeInvented(): Promise<void> {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => invented(request.result, request.transaction as IDBTransaction);
    (await resultOf(request)).close();
  }

  it("keeps the entries of a database of an older version", async () => {
    await makeInvented();
    const database = open([invented, fromInvented]);
    expect(await contents(database)).toEqual([{ payload: "payload", version: 3, under: "a" }]);
    const names = await database.run([ENTRIES], "readonly", (transaction) => [...transaction.db.objectStoreNames]);
    expect(names).toEqual(["entries", "meta", "outbox"]);
    database.close();
  });

  it("runs every step for a new database, and none for one of the present version", async () => {
    const steps: number[] = [];
    const upgrades: Upgrade[] = [UPGRADES[0] as Upgrade, () => void steps.push(2), () => void steps.push(3)];
    const first = open(upgrades);
    await contents(first);
    expect(steps).toEqual([2, 3]);
    first.close();
    const second = open(upgrades);
    await contents(second);
    expect(steps).toEqual([2, 3]);
    second.close();
  });

  it("that fails leaves the older database as it is", async () => {
    await makeInvented();
    const failing: Upgrade = (database, transaction) => {
      fromInvented(database, transaction);
      throw new Error("failed");
    };
    expect(await codeOf(() => contents(open([invented, failing])))).toBe("STORAGE_UNAVAILABLE");
    expect(await contents(open([invented, fromInvented]))).toHaveLength(1);
  });
});

it("The first release has version 1 of the tables.", () => {
  expect(UPGRADES).toHaveLength(1);
});
