import { isTombstone, type EntryRow, type Row } from "../../model/row.ts";
import type { Block } from "./block.ts";
import { BLOCK_ENTRIES } from "./block-record.ts";

/** The payloads of a block are this long together, at most, in UTF-16 units or bytes: to read one is to read all. */
const MAX_BLOCK_LENGTH = 8_192;
/** Fewer rows get a record each: rewriting a key costs less in its own record. */
const MIN_ROWS_FOR_BLOCKS = 64;

/** The records for rows that are written together. */
export interface Arrangement {
  readonly loose: ReadonlyMap<string, Row>;
  readonly blocks: readonly Block[];
}

/** Decides which rows get their own records, and which are put into blocks. */
export function arrange(rows: ReadonlyMap<string, Row>, minRowsForBlocks = MIN_ROWS_FOR_BLOCKS): Arrangement {
  const fit = new Map([...rows].filter((entry): entry is [string, EntryRow] => fitsBlock(entry[1])));
  if (fit.size < minRowsForBlocks) return { loose: rows, blocks: [] };
  const blocks: Map<string, EntryRow>[] = [];
  let room = 0;
  // A key that was written twice has the place of its first write, but was used with its last.
  for (const [key, row] of [...fit].toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed)) {
    let block = blocks.at(-1);
    room -= row.payload.length;
    if (block === undefined || block.size === BLOCK_ENTRIES || room < 0) {
      blocks.push((block = new Map()));
      room = MAX_BLOCK_LENGTH - row.payload.length;
    }
    block.set(key, row);
  }
  return { loose: new Map([...rows].filter(([key]) => !fit.has(key))), blocks };
}

/** Rows with an expiry or tags, and tombstones, need the indexes of their own record. */
function fitsBlock(row: Row): boolean {
  return !isTombstone(row) && row.expiresAt === undefined && row.tags === undefined && row.payload.length <= MAX_BLOCK_LENGTH / 4;
}
