import { promisifyRequest } from "idb-keyval";

import { asRow, type Row } from "../entry/row.ts";
import type { Database } from "./database.ts";
import { ENTRIES } from "./schema.ts";

/** In an open transaction: the row under a key. An entry is one record; what needs no payload is answered by entry-index.ts. */
export async function rowOf(transaction: IDBTransaction, key: string): Promise<Row | undefined> {
  return asRow(await promisifyRequest<unknown>(transaction.objectStore(ENTRIES).get(key)), key);
}

/** The rows under many keys, undefined where there is none. */
export function readRows(database: Database, keys: readonly string[]): Promise<(Row | undefined)[]> {
  return database.run([ENTRIES], "readonly", (transaction) => Promise.all(keys.map((key) => rowOf(transaction, key))));
}
