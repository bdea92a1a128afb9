import { isCount } from "../../util/count.ts";
import { isTombstone, type EntryRow, type Row } from "../../model/row.ts";
import { PACK_ENTRIES, type PackRecord } from "./entry-table.ts";

/**
 * Entries that were written together and lie in one record, by their keys: IndexedDB takes hardly longer for sixteen of them
 * than for one by itself. A pack only ever shrinks; what changes leaves it.
 */
export type Pack = ReadonlyMap<string, unknown>;

/** Of a pack, with the number of its entries: what counts entries by an index of the table does without the packs. */
export type PackId = readonly [id: number, entries: number];

/** How long the payloads of a pack are together, at most, in UTF-16 units or bytes: to read one is to read all. */
const PACK_LENGTH = 8_192;
/** Only so many are worth packing: a key that is written again soon is cheaper in a record of its own. (Tests pack fewer.) */
export const packing = { fewest: 64 };

/** How rows that are to be written together lie best: each by itself, or in packs. */
export interface Arrangement {
  readonly loose: ReadonlyMap<string, Row>;
  readonly packs: readonly Pack[];
}

export function arrange(rows: ReadonlyMap<string, Row>): Arrangement {
  const fit = new Map([...rows].filter(([, row]) => fitsPack(row)));
  if (fit.size < packing.fewest) return { loose: rows, packs: [] };
  const packs: Map<string, EntryRow>[] = [];
  let room = 0;
  // A key that was written twice has the place of its first write, but was used with its last.
  const inOrder = [...(fit as Map<string, EntryRow>)].toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed);
  for (const [key, row] of inOrder) {
    let pack = packs.at(-1);
    room -= row.payload.length;
    if (pack === undefined || pack.size === PACK_ENTRIES || room < 0) {
      packs.push((pack = new Map()));
      room = PACK_LENGTH - row.payload.length;
    }
    pack.set(key, row);
  }
  return { loose: new Map([...rows].filter(([key]) => !fit.has(key))), packs };
}

/** Whether the indexes of what lies by itself do without a row: it has no expiry and no tags, and is no tombstone. */
function fitsPack(row: Row): boolean {
  return !isTombstone(row) && row.expiresAt === undefined && row.tags === undefined && row.payload.length <= PACK_LENGTH / 4;
}

export function packRecord(pack: Pack): PackRecord {
  const rows = [...pack.values()];
  // What is damaged must not take the others out of the index.
  const figures = (name: "lastUsed" | "size"): number[] =>
    rows.flatMap((row) => {
      const figure = (Object(row) as Partial<EntryRow>)[name];
      return typeof figure === "number" && figure >= 0 ? [figure] : [];
    });
  return {
    under: [...pack.keys()],
    rows,
    lastUsed: Math.min(...figures("lastUsed")),
    size: figures("size").reduce((sum, size) => sum + size, 0),
  };
}

/** What the database gave, if it is anything like a pack. Its rows are still to be checked, each by itself. */
export function asPack(record: unknown): Pack | undefined {
  const { under, rows } = Object(record) as Partial<Record<keyof PackRecord, unknown>>;
  if (!Array.isArray(under)) return undefined;
  const values: readonly unknown[] = Array.isArray(rows) ? rows : [];
  return new Map(under.flatMap((key: unknown, index) => (typeof key === "string" ? [[key, values[index] ?? {}]] : [])));
}

/** A new id, of 53 random bits, for a pack of so many entries. */
export function packId(entries: number): PackId {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return [high * 2 ** 21 + (low >>> 11), entries];
}

/** Where the keys of a pack lie alone. Nothing of ours lies where a place says that which is none of a pack. */
export function listPlace([id]: readonly IDBValidKey[]): number {
  return typeof id === "number" ? id : NOWHERE;
}

const NOWHERE = -1;

/** How many entries lie under a key of the table of entries. */
export function entriesUnder(primaryKey: IDBValidKey): number {
  const [, entries] = Array.isArray(primaryKey) ? primaryKey : [];
  return isCount(entries) && entries <= PACK_ENTRIES ? entries : 1;
}
