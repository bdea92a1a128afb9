import { promisifyRequest } from "idb-keyval";

import { asRow, isDamagedRow, type Row } from "../../model/row.ts";
import { ENTRIES } from "../idb/schema.ts";
import { BLOCK_ENTRIES, type BlockRecord } from "./block-record.ts";

/** The rows of some keys, as a transaction found them. */
export interface Found {
  readonly rows: ReadonlyMap<string, Row>;
  /** Key → the record of its block, for the keys in blocks. Only `replaceRows` needs it. */
  readonly blocks: ReadonlyMap<string, object>;
}

/** Up to this many keys are looked up one by one: concurrent requests cost less than another round trip. */
const FEW_KEYS = 8;

/**
 * Finds the rows of keys, in an open transaction. The unique index `keys` gives the one place of each key.
 * @param atOnce makes the second request of an absent key together with the first: the page may not live to receive two results
 */
export async function find(transaction: IDBTransaction, keys: Iterable<string>, atOnce = false): Promise<Found> {
  const entries = transaction.objectStore(ENTRIES);
  const wanted = new Set(keys);
  const rows = new Map<string, Row>();
  const blocks = new Map<string, object>();

  const look = async (key: string): Promise<void> => {
    const getUnderKey = (): Promise<unknown> => promisifyRequest<unknown>(entries.get(key));
    const underKey = atOnce ? getUnderKey() : undefined;
    const record = await promisifyRequest<Partial<BlockRecord> | undefined>(entries.index("keys").get(key));
    // Two keys of a block may be looked up at the same time: the first result counts.
    if (blocks.has(key)) return;
    if (Array.isArray(record?.keys)) {
      record.keys.forEach((name: string, index) => {
        const row = wanted.has(name) ? asRow(record.rows?.[index] ?? {}, name) : undefined;
        if (row === undefined) return;
        blocks.set(name, record);
        rows.set(name, row);
      });
      return;
    }
    // A damaged record may have the key of another entry, or none: look under the key itself.
    const found = asRow(record, key);
    const row = found === undefined || isDamagedRow(found) ? asRow(await (underKey ?? getUnderKey()), key) : found;
    if (row !== undefined) rows.set(key, row);
  };

  // Neighbours in the request were often written together: the first look at a block finds them too.
  const stride = wanted.size <= FEW_KEYS ? 1 : BLOCK_ENTRIES;
  const list = [...wanted];
  await Promise.all(list.filter((_, index) => index % stride === 0).map(look));
  await Promise.all(list.filter((key, index) => index % stride !== 0 && !blocks.has(key)).map(look));
  return { rows, blocks };
}
