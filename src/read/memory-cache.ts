import { isExpired, type EntryRow } from "../model/row.ts";
import type { Payload } from "../model/metadata.ts";

/** An entry as memory holds it: its payload whole and uncompressed, to be decoded anew at every read. */
export interface CachedEntry {
  readonly row: EntryRow;
  readonly payload: Payload;
}

/** The memory front's figures. */
export interface CacheStats {
  /** Entries held now. */
  readonly size: number;
  readonly maxSize: number;
  /** Bytes of the payloads held. */
  readonly memoryUsage: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  /** From the least to the most recently used. */
  readonly keys: readonly string[];
}

/** The memory front: the entries used last, at most `maxSize`. */
export class MemoryCache {
  readonly #maxSize: number;
  /** In order of use: a Map keeps the order of insertion, and an entry that is used is inserted anew. */
  readonly #entries = new Map<string, CachedEntry>();
  #memoryUsage = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** The entry under a key, and a use of it; counted as a hit or a miss. */
  get(key: string, now: number): CachedEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || isExpired(entry.row, now)) {
      if (entry !== undefined) this.delete(key);
      this.#misses++;
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#hits++;
    return entry;
  }

  /** The row under a key, if it is held; no use of it. */
  rowOf(key: string): EntryRow | undefined {
    return this.#entries.get(key)?.row;
  }

  set(key: string, entry: CachedEntry): void {
    if (this.#maxSize === 0) return;
    this.delete(key);
    this.#entries.set(key, entry);
    this.#memoryUsage += entry.row.size;
    if (this.#entries.size <= this.#maxSize) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.delete(oldest);
    this.#evictions++;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#memoryUsage -= entry.row.size;
  }

  clear(): void {
    this.#entries.clear();
    this.#memoryUsage = 0;
  }

  stats(now: number): CacheStats {
    for (const [key, { row }] of this.#entries) if (isExpired(row, now)) this.delete(key);
    return {
      size: this.#entries.size,
      maxSize: this.#maxSize,
      memoryUsage: this.#memoryUsage,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      keys: [...this.#entries.keys()],
    };
  }
}
