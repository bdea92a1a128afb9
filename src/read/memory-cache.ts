import { isExpired, type EntryRow } from "../model/row.ts";
import type { KeyFormat, Payload } from "../model/metadata.ts";

/** An entry as memory holds it. The payload is uncompressed. Each read decodes it again. */
export interface CachedEntry {
  readonly payload: Payload;
  readonly format: KeyFormat;
  readonly version: number;
  readonly size: number;
  readonly expiresAt: number | undefined;
}

/** @param payload the row's payload, uncompressed */
export function cachedEntry({ format, version, size, expiresAt }: EntryRow, payload: Payload): CachedEntry {
  return { payload, format, version, size, expiresAt };
}

/** Figures of the memory cache. */
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

/** The entries used last, at most `maxSize`. */
export class MemoryCache {
  readonly #maxSize: number;
  /** In order of use: a Map keeps the order of insertion, and each use inserts the entry again. */
  readonly #entries = new Map<string, CachedEntry>();
  #memoryUsage = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** The entry under a key. Counts as a use, and as a hit or a miss. */
  get(key: string, now: number): CachedEntry | undefined {
    const entry = this.peek(key, now);
    if (entry === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#hits++;
    return entry;
  }

  /** The entry held under a key, expired or not. Does not count as a use. */
  held(key: string): CachedEntry | undefined {
    return this.#entries.get(key);
  }

  /** The entry under a key. Counts as nothing. */
  peek(key: string, now: number): CachedEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !isExpired(entry, now)) return entry;
    this.delete(key);
  }

  set(key: string, entry: CachedEntry): void {
    if (this.#maxSize === 0) return;
    this.delete(key);
    this.#entries.set(key, entry);
    this.#memoryUsage += entry.size;
    if (this.#entries.size <= this.#maxSize) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.delete(oldest);
    this.#evictions++;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#memoryUsage -= entry.size;
  }

  clear(): void {
    this.#entries.clear();
    this.#memoryUsage = 0;
  }

  stats(now: number): CacheStats {
    for (const [key, entry] of this.#entries) if (isExpired(entry, now)) this.delete(key);
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
