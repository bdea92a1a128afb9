import { promisifyRequest } from "idb-keyval";

import { asRow, isDamagedRow, type Row } from "../../model/row.ts";
import { ENTRIES, UNDER } from "../idb/schema.ts";

/**
 * How entries lie in their table: a loose one in a record of its own under its key; many that are written together in blocks,
 * each under its BlockId, with its keys alone once more under the id's first number. A key lies in one place only: the unique
 * index UNDER sees to it, and finds it.
 * What needs no payload is answered by entry-index.ts.
 */

/** What was found under keys, in a transaction. */
export interface Found {
  readonly rows: ReadonlyMap<string, Row>;
  /** The records of blocks, by the keys that were found in them. */
  readonly blocks: ReadonlyMap<string, object>;
}

/** A block as IndexedDB holds it, under its number and how many it holds (`BlockId`). */
export interface BlockRecord {
  readonly under: readonly string[];
  /** The row of the key at the same index. */
  readonly rows: readonly unknown[];
  /** When the entry was used that was used longest ago, and the bytes of all payloads: for the index `use`. */
  readonly lastUsed: number;
  readonly size: number;
}

/** So many keys are looked up one by one: requests under way together cost less than one more in a row. */
const FEW_KEYS = 8;
/** How many entries a block takes: more would make a read of one dearer, and hardly a write of many cheaper. */
export const BLOCK_ENTRIES = 16;

/** In an open transaction: the rows under keys, and the blocks they lie in. */
export async function find(transaction: IDBTransaction, keys: Iterable<string>): Promise<Found> {
  const entries = transaction.objectStore(ENTRIES);
  const wanted = new Set(keys);
  const rows = new Map<string, Row>();
  const blocks = new Map<string, object>();

  const look = async (key: string): Promise<void> => {
    const record = await promisifyRequest<Partial<BlockRecord> | undefined>(entries.index(UNDER).get(key));
    // A block is handed out again for each of its keys.
    if (blocks.has(key)) return;
    if (Array.isArray(record?.under)) {
      record.under.forEach((name: string, index) => {
        const row = wanted.has(name) ? asRow(record.rows?.[index] ?? {}, name) : undefined;
        if (row === undefined) return;
        blocks.set(name, record);
        rows.set(name, row);
      });
      return;
    }
    // One that is damaged may say that it is another, or nothing.
    const found = asRow(record, key);
    const row = found === undefined || isDamagedRow(found) ? asRow(await promisifyRequest<unknown>(entries.get(key)), key) : found;
    if (row !== undefined) rows.set(key, row);
  };

  // What is asked for in a row was often written in a row: one of a block brings its neighbours along.
  const stride = wanted.size <= FEW_KEYS ? 1 : BLOCK_ENTRIES;
  const list = [...wanted];
  await Promise.all(list.filter((_, index) => index % stride === 0).map(look));
  await Promise.all(list.filter((key, index) => index % stride !== 0 && !blocks.has(key)).map(look));
  return { rows, blocks };
}
