import { promisifyRequest } from "idb-keyval";

import { isCount } from "../../util/count.ts";
import type { EntryRow } from "../../model/row.ts";
import { BLOCK_ENTRIES, type BlockRecord } from "./block-record.ts";

/**
 * Several small entries in one record, by their keys: IndexedDB takes hardly longer for sixteen entries in a record than for one.
 * A block only shrinks: an entry that changes leaves it.
 *
 * The key of the record is the BlockId. A second record under the first number of that id has only the keys of the entries.
 */
export type Block = ReadonlyMap<string, unknown>;

/** The number of entries in it lets an index of the table count entries without loading blocks. */
export type BlockId = readonly [id: number, entries: number];

/** The block in a record, if the record looks like one. Each of its rows is still to be checked. */
export function asBlock(record: unknown): Block | undefined {
  const { keys, rows } = Object(record) as Partial<Record<keyof BlockRecord, unknown>>;
  if (!Array.isArray(keys)) return undefined;
  const values: readonly unknown[] = Array.isArray(rows) ? rows : [];
  return new Map(keys.flatMap((key: unknown, index) => (typeof key === "string" ? [[key, values[index] ?? {}]] : [])));
}

export function addBlock(entries: IDBObjectStore, block: Block): void {
  if (block.size === 0) return;
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  const id: BlockId = [high * 2 ** 21 + (low >>> 11), block.size];
  const record = blockRecord(block);
  entries.add(record, [...id]);
  entries.add(record.keys, id[0]);
}

/** Puts a smaller block, of the entries that stay, in the place of a block. */
export function shrinkBlock(entries: IDBObjectStore, id: IDBValidKey, record: unknown, stays: (key: string) => boolean): void {
  entries.delete(id);
  if (Array.isArray(id)) entries.delete(keysPlace(id));
  addBlock(entries, new Map([...(asBlock(record) ?? [])].filter(([key]) => stays(key))));
}

/** The place of the keys of a block. A damaged id gives a place that is always empty. */
export function keysPlace([id]: readonly IDBValidKey[]): number {
  return typeof id === "number" ? id : -1;
}

/** The keys of the entries in the record at a place, in an open transaction. */
export async function keysAt(entries: IDBObjectStore, place: IDBValidKey): Promise<string[]> {
  return typeof place === "string" ? [place] : [...(asBlock(await promisifyRequest<unknown>(entries.get(place)))?.keys() ?? [])];
}

export function entriesAt(place: IDBValidKey): number {
  const [, entries] = Array.isArray(place) ? place : [];
  return isCount(entries) && entries <= BLOCK_ENTRIES ? entries : 1;
}

function blockRecord(block: Block): BlockRecord {
  const rows = inOneBuffer([...block.values()]);
  const use = { lastUsed: Infinity, size: 0, version: 0 };
  for (const row of rows) {
    const { lastUsed, size, version } = Object(row) as Partial<EntryRow>;
    // Must leave out damaged figures: with one, the index would lose the whole block.
    if (isFigure(lastUsed)) use.lastUsed = Math.min(use.lastUsed, lastUsed);
    if (isFigure(size)) use.size += size;
    if (isFigure(version)) use.version = Math.max(use.version, version);
  }
  return { keys: [...block.keys()], rows, ...use };
}

function isFigure(figure: unknown): figure is number {
  return typeof figure === "number" && figure >= 0;
}

/** The rows with their ciphertexts in one buffer. To read sixteen buffers takes longer, and makes more garbage. */
function inOneBuffer(rows: readonly unknown[]): readonly unknown[] {
  const ciphertexts = rows.map(ciphertextOf);
  const length = ciphertexts.reduce((sum, ciphertext) => sum + (ciphertext?.length ?? 0), 0);
  if (length === 0) return rows;
  const buffer = new Uint8Array(length);
  let end = 0;
  return rows.map((row, index) => {
    const ciphertext = ciphertexts[index];
    if (ciphertext === undefined) return row;
    buffer.set(ciphertext, end);
    return { ...(row as EntryRow), payload: buffer.subarray(end, (end += ciphertext.length)) };
  });
}

function ciphertextOf(row: unknown): Uint8Array | undefined {
  const { encryption, payload } = Object(row) as Partial<EntryRow>;
  return encryption !== undefined && payload instanceof Uint8Array ? payload : undefined;
}
