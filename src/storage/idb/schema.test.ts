import { describe, expect, it } from "vitest";

import { codeOf } from "../../testing/errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { allOutbox, allRows, openDatabase, resultOf, useFreshIndexedDB } from "../../testing/indexeddb.ts";
import { entryRow } from "../../testing/rows.ts";
import type { OutboxRecord } from "../outbox/outbox-record.ts";
import type { Database } from "./database.ts";
import { ENTRIES, OUTBOX, UPGRADES, type Upgrade } from "./schema.ts";

useFreshIndexedDB();

const NAME = "nas-keystore/test";
const ROW = { ...entryRow({ version: 3, writeId: ["instance", 7] }), key: "a" };
const RECORD: OutboxRecord = { state: "queued", writes: [{ key: "a", version: 3, sequence: 7, operation: "store" }], attempts: 1 };

/** An invented older schema: a table "values" for the entries, without indexes, and a table "unsent" for the outbox. */
const invented: Upgrade = (database, transaction) => {
  database.createObjectStore("values");
  database.createObjectStore("unsent");
  transaction.objectStore("values").put(ROW, "a");
  transaction.objectStore("unsent").put(RECORD, ["instance", 7]);
};

/** From the invented schema to the present one. */
const fromInvented: Upgrade = (database, transaction) => {
  UPGRADES[0]?.(database, transaction);
  move(transaction, "values", ENTRIES, (row, key) => ({ ...(row as object), keys: key }));
  move(transaction, "unsent", OUTBOX, (record) => record);
};

function move(transaction: IDBTransaction, from: string, to: string, convert: (value: unknown, key: IDBValidKey) => unknown): void {
  transaction.objectStore(from).openCursor().onsuccess = ({ target }) => {
    const cursor = (target as IDBRequest<IDBCursorWithValue | null>).result;
    if (cursor === null) return transaction.db.deleteObjectStore(from);
    transaction.objectStore(to).put(convert(cursor.value, cursor.key), cursor.key);
    cursor.continue();
  };
}

function open(upgrades: readonly Upgrade[]): Database {
  return openDatabase(NAME, new FakeClock(), upgrades);
}

async function createInvented(): Promise<void> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => invented(request.result, request.transaction as IDBTransaction);
  (await resultOf(request)).close();
}

function tables(database: Database): Promise<string[]> {
  return database.run([ENTRIES], "readonly", (transaction) => [...transaction.db.objectStoreNames]);
}

describe("An upgrade", () => {
  it("keeps the entries and the outbox of a database of an older version", async () => {
    await createInvented();
    const database = open([invented, fromInvented]);
    expect(await tables(database)).toEqual(["entries", "meta", "outbox", "revisions", "stale"]);
    expect(await allRows(database)).toEqual({ a: { ...ROW, keys: "a" } });
    expect(await allOutbox(database)).toEqual([[["instance", 7], RECORD]]);
    database.close();
  });

  it("runs every step for a new database, and no step for a database of the present version", async () => {
    const steps: number[] = [];
    const upgrades: Upgrade[] = [UPGRADES[0] as Upgrade, () => void steps.push(2), () => void steps.push(3)];
    for (let opened = 0; opened < 2; opened++) {
      const database = open(upgrades);
      await tables(database);
      expect(steps).toEqual([2, 3]);
      database.close();
    }
  });

  it("leaves the older database as it is when a step fails", async () => {
    await createInvented();
    const failing: Upgrade = (database, transaction) => {
      fromInvented(database, transaction);
      throw new Error("failed");
    };
    expect(await codeOf(() => tables(open([invented, failing])))).toBe("STORAGE_UNAVAILABLE");
    expect(Object.keys(await allRows(open([invented, fromInvented])))).toEqual(["a"]);
  });
});

it("The first release has version 1 of the tables", () => {
  expect(UPGRADES).toHaveLength(1);
});
