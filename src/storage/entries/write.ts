import { promisifyRequest } from "idb-keyval";

import type { Row } from "../../model/row.ts";
import { ENTRIES } from "../idb/schema.ts";
import { arrange, type Arrangement } from "./arrange.ts";
import { addBlock, shrinkBlock } from "./block.ts";
import type { Found } from "./find.ts";
import { raiseFloor } from "./version-floor.ts";

/** Adds rows, in an open transaction. A key that exists fails the transaction with a ConstraintError. */
export function addRows(transaction: IDBTransaction, rows: ReadonlyMap<string, Row>): void {
  put(transaction.objectStore(ENTRIES), arrange(rows), "add");
}

/**
 * Replaces the rows that `find` found in the same transaction; undefined removes a row.
 * @param raisesFloor false only on a full disk, where the removal may need the last space: makeRoom raises the floor afterwards
 */
export async function replaceRows(
  transaction: IDBTransaction,
  found: Found,
  changes: ReadonlyMap<string, Row | undefined>,
  raisesFloor = true,
): Promise<void> {
  const entries = transaction.objectStore(ENTRIES);
  /** Block → one of its keys that change. */
  const changed = new Map<object, string>();
  for (const key of changes.keys()) {
    const block = found.blocks.get(key);
    if (block !== undefined) changed.set(block, key);
  }
  await Promise.all(
    Array.from(changed, async ([block, key]) => {
      const id = await promisifyRequest(entries.index("keys").getKey(key));
      if (id !== undefined) shrinkBlock(entries, id, block, (name) => !changes.has(name));
    }),
  );
  const arranged = arrange(new Map([...changes].filter((change): change is [string, Row] => change[1] !== undefined)));
  for (const key of changes.keys()) {
    if (found.rows.has(key) && !found.blocks.has(key) && !arranged.loose.has(key)) entries.delete(key);
  }
  put(entries, arranged, "put");
  const removed = [...changes].flatMap(([key, row]) => (row === undefined ? [found.rows.get(key)?.version ?? 0] : []));
  if (raisesFloor) await raiseFloor(transaction, Math.max(0, ...removed));
}

function put(entries: IDBObjectStore, { loose, blocks }: Arrangement, how: "add" | "put"): void {
  for (const [key, row] of loose) {
    // A row that leaves a block must not take the buffer of the block along.
    const own = "payload" in row ? { ...row, payload: row.payload.slice() } : row;
    entries[how]({ ...own, keys: key }, key);
  }
  for (const block of blocks) addBlock(entries, block);
}
