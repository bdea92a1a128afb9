/** A block as IndexedDB holds it. */
export interface BlockRecord {
  readonly keys: readonly string[];
  /** The row of the key at the same index. */
  readonly rows: readonly unknown[];
  /** The earliest last use of an entry, the bytes of all payloads, and the greatest version: for the index `use`. */
  readonly lastUsed: number;
  readonly size: number;
  readonly version: number;
}

/** With more entries in a block, a single read costs more, and a bulk write hardly less. */
export const BLOCK_ENTRIES = 16;
