import { isCount } from "../../util/count.ts";
import { isTombstone, type EntryRow, type Row } from "../../model/row.ts";
import { BLOCK_ENTRIES, type BlockRecord } from "./entry-table.ts";

/**
 * Entries that were written together and lie in one record, by their keys: IndexedDB takes hardly longer for sixteen of them
 * than for one by itself. A block only ever shrinks; what changes leaves it.
 */
export type Block = ReadonlyMap<string, unknown>;

/** Of a block, with the number of its entries: what counts entries by an index of the table does without the blocks. */
export type BlockId = readonly [id: number, entries: number];

/** How long the payloads of a block are together, at most, in UTF-16 units or bytes: to read one is to read all. */
const BLOCK_LENGTH = 8_192;
/** Only so many are worth packing: a key that is written again soon is cheaper in a record of its own. (Tests block fewer.) */
export const packing = { fewest: 64 };

/** How rows that are to be written together lie best: each by itself, or in blocks. */
export interface Arrangement {
  readonly loose: ReadonlyMap<string, Row>;
  readonly blocks: readonly Block[];
}

export function arrange(rows: ReadonlyMap<string, Row>): Arrangement {
  const fit = new Map([...rows].filter(([, row]) => fitsBlock(row)));
  if (fit.size < packing.fewest) return { loose: rows, blocks: [] };
  const blocks: Map<string, EntryRow>[] = [];
  let room = 0;
  // A key that was written twice has the place of its first write, but was used with its last.
  const inOrder = [...(fit as Map<string, EntryRow>)].toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed);
  for (const [key, row] of inOrder) {
    let block = blocks.at(-1);
    room -= row.payload.length;
    if (block === undefined || block.size === BLOCK_ENTRIES || room < 0) {
      blocks.push((block = new Map()));
      room = BLOCK_LENGTH - row.payload.length;
    }
    block.set(key, row);
  }
  return { loose: new Map([...rows].filter(([key]) => !fit.has(key))), blocks };
}

/** Whether the indexes of what lies by itself do without a row: it has no expiry and no tags, and is no tombstone. */
function fitsBlock(row: Row): boolean {
  return !isTombstone(row) && row.expiresAt === undefined && row.tags === undefined && row.payload.length <= BLOCK_LENGTH / 4;
}

export function blockRecord(block: Block): BlockRecord {
  const rows = [...block.values()];
  // What is damaged must not take the others out of the index.
  const figures = (name: "lastUsed" | "size"): number[] =>
    rows.flatMap((row) => {
      const figure = (Object(row) as Partial<EntryRow>)[name];
      return typeof figure === "number" && figure >= 0 ? [figure] : [];
    });
  return {
    under: [...block.keys()],
    rows,
    lastUsed: Math.min(...figures("lastUsed")),
    size: figures("size").reduce((sum, size) => sum + size, 0),
  };
}

/** What the database gave, if it is anything like a block. Its rows are still to be checked, each by itself. */
export function asBlock(record: unknown): Block | undefined {
  const { under, rows } = Object(record) as Partial<Record<keyof BlockRecord, unknown>>;
  if (!Array.isArray(under)) return undefined;
  const values: readonly unknown[] = Array.isArray(rows) ? rows : [];
  return new Map(under.flatMap((key: unknown, index) => (typeof key === "string" ? [[key, values[index] ?? {}]] : [])));
}

/** A new id, of 53 random bits, for a block of so many entries. */
export function blockId(entries: number): BlockId {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return [high * 2 ** 21 + (low >>> 11), entries];
}

/** Where the keys of a block lie alone. Nothing of ours lies where a place says that which is none of a block. */
export function listPlace([id]: readonly IDBValidKey[]): number {
  return typeof id === "number" ? id : NOWHERE;
}

const NOWHERE = -1;

/** How many entries lie under a key of the table of entries. */
export function entriesUnder(primaryKey: IDBValidKey): number {
  const [, entries] = Array.isArray(primaryKey) ? primaryKey : [];
  return isCount(entries) && entries <= BLOCK_ENTRIES ? entries : 1;
}
