import type { LocalChange } from "../model/change.ts";
import { compilePattern } from "../model/pattern.ts";
import { isTombstone, type EntryRow, type Row } from "../model/row.ts";
import type { InvalidateOptions, ProgressOptions } from "../options/types.ts";
import type { Draft } from "../storage/commit/draft.ts";
import { find } from "../storage/entries/find.ts";
import { hasMarks, isMarked, markStale } from "../storage/entries/stale-marks.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, STALE } from "../storage/idb/schema.ts";
import { abortable } from "../util/abort.ts";
import { batches } from "../util/batches.ts";
import { report } from "../util/progress.ts";
import type { CoherentCache } from "./coherent-cache.ts";
import type { CachedEntry } from "./memory-cache.ts";
import type { Reader } from "./reader.ts";

/** Rows that one transaction reads or marks. With 256, Firefox may handle all their results in one task of 150 ms. */
const SLICE = 64;

export interface StalenessPorts {
  readonly database: Pick<Database, "run">;
  readonly cache: Pick<CoherentCache, "held">;
  readonly reader: Pick<Reader, "live">;
  /** Resolves when earlier writes of these keys, or of every key, are committed or have failed. */
  readonly writesCommitted: (keys?: readonly string[]) => Promise<void>;
  /** The keys of the living entries that match. */
  readonly livingKeys: (pattern: string, tag: string | undefined) => Promise<string[]>;
  /** Called when an invalidation begins. */
  readonly onInvalidate: (pattern: string, tag: string | undefined) => void;
  readonly emit: (changes: readonly LocalChange[]) => void;
}

/**
 * Which entries are stale. An invalidation applies from its call on, and marks its entries in slices. Memory drops what is marked
 * (see `CoherentCache.apply`), so an entry in memory that was once found not to be stale needs no second look.
 */
export class Staleness {
  readonly #ports: StalenessPorts;
  readonly #underWay = new Set<Invalidation>();
  /** Entries in memory that are not stale. */
  readonly #fresh = new WeakSet<CachedEntry>();

  constructor(ports: StalenessPorts) {
    this.#ports = ports;
  }

  /**
   * Whether a version of a key, which the caller has read, is stale: at once if memory holds it and it was found not to be stale before.
   * Sees the invalidations of this store that were called before.
   */
  isStale(key: string, version: number): boolean | Promise<boolean> {
    const entry = this.#ports.cache.held(key);
    return entry?.version === version && this.isKnownFresh(entry) ? false : this.#look(key, version, entry);
  }

  /** Whether an entry in memory was found not to be stale before. */
  isKnownFresh(entry: CachedEntry): boolean {
    return this.#underWay.size === 0 && this.#fresh.has(entry);
  }

  /** Whether a row is stale, in an open transaction of ENTRIES and STALE. */
  async isStaleRow(transaction: IDBTransaction, key: string, row: Row): Promise<boolean> {
    return [...this.#underWay].some((invalidation) => invalidation.covers(key, row)) || isMarked(transaction, key, row);
  }

  /** Which of some rows, in key order, are stale. Most often there is no mark, and so nothing to look up. */
  async areStale(transaction: IDBTransaction, rows: readonly (readonly [key: string, row: Row])[]): Promise<boolean[]> {
    const [first, last] = [rows[0], rows.at(-1)];
    if (first === undefined || last === undefined) return [];
    if (this.#underWay.size === 0 && !(await hasMarks(transaction, first[0], last[0]))) return rows.map(() => false);
    return Promise.all(rows.map(([key, row]) => this.isStaleRow(transaction, key, row)));
  }

  /**
   * Marks the living entries as stale. Those that were marked before the signal was aborted, or before a failure, stay marked.
   * @returns how many were not stale before
   * @throws the signal's reason, KeyStoreError STORAGE_UNAVAILABLE, QUOTA_EXCEEDED
   */
  async invalidate({ pattern = "*", tag }: InvalidateOptions, { signal, onProgress }: ProgressOptions): Promise<number> {
    const invalidation = new Invalidation(pattern, tag);
    this.#underWay.add(invalidation);
    this.#ports.onInvalidate(pattern, tag);
    try {
      await abortable(signal, () => this.#ports.writesCommitted());
      const keys = await this.#ports.livingKeys(pattern, tag);
      let marked = 0;
      let done = 0;
      for (const slice of batches(keys, SLICE)) {
        signal?.throwIfAborted();
        marked += await this.#mark(slice, invalidation);
        report(onProgress, (done += slice.length), keys.length);
      }
      return marked;
    } finally {
      this.#underWay.delete(invalidation);
    }
  }

  /** To be called with each write, before it waits for anything. The returned function changes its draft: its row is not stale. */
  orderWrite(): (draft: Draft) => Draft {
    const earlier = [...this.#underWay];
    return (draft) => {
      if (earlier.length === 0) return draft;
      const next: Draft["next"] = (present, version, now) => {
        for (const invalidation of earlier) invalidation.writtenLater(draft.key, version);
        return draft.next(present, version, now);
      };
      return { ...draft, next };
    };
  }

  /** Reads the rows without blocking other reads, and writes no row: a mark of a row that is replaced meanwhile has no effect. */
  async #mark(keys: readonly string[], invalidation: Invalidation): Promise<number> {
    const { database, emit, reader } = this.#ports;
    const { rows } = await database.run([ENTRIES], "readonly", (transaction) => find(transaction, keys));
    const entries = new Map<string, EntryRow>();
    for (const [key, row] of rows) {
      const entry = reader.live(key, row);
      if (entry !== undefined && invalidation.covers(key, entry)) entries.set(key, entry);
    }
    if (entries.size === 0) return 0;
    /** The work may run twice, and finds its own marks the second time. */
    const marked = new Set<string>();
    await database.run([STALE], "readwrite", async (transaction) => {
      for (const key of await markStale(transaction, entries)) marked.add(key);
    });
    emit(Array.from(marked, (key) => ({ source: "local", type: "invalidate", key, version: entries.get(key)?.version ?? 0 })));
    return marked.size;
  }

  async #look(key: string, version: number, entry: CachedEntry | undefined): Promise<boolean> {
    const { database, writesCommitted } = this.#ports;
    await writesCommitted([key]);
    const isStale = await database.run([ENTRIES, STALE], "readonly", async (transaction) => {
      const row = (await find(transaction, [key])).rows.get(key);
      return row?.version === version && (await this.isStaleRow(transaction, key, row));
    });
    // If the entry was invalidated meanwhile, memory no longer holds this object.
    if (!isStale && entry?.version === version) this.#fresh.add(entry);
    return isStale;
  }
}

/** A call of `invalidate` that is under way. */
class Invalidation {
  readonly #matches: (key: string) => boolean;
  readonly #tag: string | undefined;
  /** Key → the first version of a write that was called later. */
  readonly #later = new Map<string, number>();

  constructor(pattern: string, tag: string | undefined) {
    this.#matches = compilePattern(pattern).matches;
    this.#tag = tag;
  }

  covers(key: string, row: Row): boolean {
    if (isTombstone(row) || row.version >= (this.#later.get(key) ?? Infinity)) return false;
    return this.#matches(key) && (this.#tag === undefined || row.tags?.includes(this.#tag) === true);
  }

  writtenLater(key: string, version: number): void {
    this.#later.set(key, Math.min(version, this.#later.get(key) ?? version));
  }
}
