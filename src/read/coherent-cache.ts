import type { Change, Memory } from "../model/change.ts";
import type { Row } from "../model/row.ts";
import { cachedEntry, MemoryCache, type CachedEntry } from "./memory-cache.ts";

/** An entry that is about to enter memory: read from the database, or being committed. */
export interface Arrival {
  /** The newest version of the key that this store has learned of meanwhile. */
  newest: number;
}

/** A read of one row. Concurrent reads of a key share it. */
export interface RowRead extends Arrival {
  readonly row: Promise<Row | undefined>;
}

/**
 * The memory cache, kept in step with the database. Must never hold an entry that is older than a change this store knows of:
 * a write may overtake a read, and another tab's newer write may be announced before this tab's own transaction is `complete`.
 */
export class CoherentCache extends MemoryCache implements Memory {
  /** Reads under way whose key has not changed since they began. */
  readonly #reads = new Map<string, RowRead>();
  /** The keys of this store's commit under way, without those that another store has changed since it began. */
  #committing = new Map<string, Arrival>();

  /** Joins the read of a key that is under way, or starts one. Must be followed by `endRead`. */
  startRead(key: string, read: () => Promise<Row | undefined>): RowRead {
    const started = this.#reads.get(key) ?? { row: read(), newest: 0 };
    this.#reads.set(key, started);
    return started;
  }

  /** The entry enters memory unless a change has overtaken the read. */
  endRead(key: string, read: RowRead, entry: CachedEntry | undefined): void {
    if (this.#reads.get(key) !== read) return;
    this.#reads.delete(key);
    if (entry !== undefined) this.#add(key, entry, read);
  }

  beginCommit(keys: readonly string[]): void {
    this.#committing = new Map(keys.map((key) => [key, { newest: 0 }]));
  }

  /** Receives the changes of the change feed. */
  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === "clear") this.clear();
      else if ("writer" in change && change.writer === this) {
        this.#drop(change.key);
        const arrival = this.#committing.get(change.key);
        if (change.type === "store") this.#add(change.key, cachedEntry(change.entry.row, change.entry.payload), arrival);
      } else {
        this.#committing.delete(change.key);
        this.#drop(change.key);
      }
    }
  }

  /** What is about to enter memory under a key. */
  arrivals(key: string): readonly (Arrival | undefined)[] {
    return [this.#reads.get(key), this.#committing.get(key)];
  }

  /** Anything may have changed. */
  override clear(): void {
    this.#reads.clear();
    this.#committing.clear();
    super.clear();
  }

  #add(key: string, entry: CachedEntry, arrival: Arrival | undefined): void {
    if (arrival !== undefined && arrival.newest <= entry.version) this.set(key, entry);
  }

  #drop(key: string): void {
    this.#reads.delete(key);
    this.delete(key);
  }
}
