import type { Usage } from "../../model/change.ts";
import { isTombstone, type EntryRow } from "../../model/row.ts";
import { find } from "../entries/find.ts";
import { leastRecentlyUsed } from "../entries/usage.ts";
import { replaceRows } from "../entries/write.ts";
import type { Database } from "../idb/database.ts";
import { ENTRIES, OUTBOX } from "../idb/schema.ts";
import { minus, plus } from "./limits.ts";
import type { StateOf } from "./sweeper.ts";

/** One transaction looks at about this many entries, so that others do not wait long, and it loads little. */
const BATCH = 100;

export interface EvictPorts {
  readonly database: Pick<Database, "run">;
  readonly stateOf: StateOf;
  readonly onEvicted: (keys: readonly string[]) => void;
}

export interface EvictRules {
  /** Keys that stay. */
  readonly spared?: ReadonlySet<string>;
  /** Evicts only whole groups (see `leastRecentlyUsed`): the disk may be too full for a write. */
  readonly wholeGroups?: boolean;
  /** See `replaceRows`. */
  readonly raisesFloor?: boolean;
  /**
   * The size of an entry.
   * @default its payload before compression, as for `maxBytes`
   */
  readonly bytesOf?: (row: EntryRow) => number;
}

interface Batch {
  readonly keys: readonly string[];
  readonly bytes: number;
  readonly next: IDBValidKey | undefined;
}

/**
 * Evicts the least recently used entries: at least `excess`, if there is that much to evict. Must never evict an unconfirmed entry.
 * @returns the evicted entries
 */
export async function evict({ database, stateOf, onEvicted }: EvictPorts, excess: Usage, rules: EvictRules = {}): Promise<Usage> {
  let evicted: Usage = { entries: 0, bytes: 0 };
  for (let after: IDBValidKey | undefined; evicted.entries < excess.entries || evicted.bytes < excess.bytes;) {
    const left = minus(excess, evicted);
    let before: Batch | undefined;
    const { keys, bytes, next } = await database.run([ENTRIES, OUTBOX], "readwrite", async (transaction) => {
      // This may run again although the browser committed: it may report a committed transaction as lost.
      const [first] = before?.keys ?? [];
      if (before !== undefined && first !== undefined && !(await find(transaction, [first])).rows.has(first)) return before;
      return (before = await evictBatch(transaction, stateOf, left, after, rules));
    });
    evicted = plus(evicted, { entries: keys.length, bytes });
    if (keys.length > 0) onEvicted(keys);
    if (next === undefined) break;
    after = next;
  }
  return evicted;
}

async function evictBatch(
  transaction: IDBTransaction,
  stateOf: StateOf,
  excess: Usage,
  after: IDBValidKey | undefined,
  { spared = new Set(), wholeGroups = false, raisesFloor = true, bytesOf = ({ size }) => size }: EvictRules,
): Promise<Batch> {
  const { groups, next } = await leastRecentlyUsed(transaction, after, BATCH);
  const keys: string[] = [];
  let bytes = 0;
  const isEnough = (): boolean => keys.length >= excess.entries && bytes >= excess.bytes;
  // One group after another: a group that stays need not be loaded.
  for (const group of groups) {
    if (isEnough()) break;
    const found = await find(transaction, group);
    const evictable: [key: string, size: number][] = [];
    for (const key of group) {
      const row = found.rows.get(key);
      if (spared.has(key) || row === undefined || isTombstone(row)) continue;
      if ((await stateOf(transaction, row.writeId)) === undefined) evictable.push([key, bytesOf(row)]);
    }
    if (wholeGroups && evictable.length < group.length) continue;
    const evicted = new Map<string, undefined>();
    for (const [key, size] of evictable) {
      if (isEnough() && !wholeGroups) break;
      evicted.set(key, undefined);
      keys.push(key);
      bytes += size;
    }
    await replaceRows(transaction, found, evicted, raisesFloor);
  }
  return { keys, bytes, next };
}
