import { decode } from "../values/codec.ts";
import type { Payload } from "../model/metadata.ts";
import { readPayload } from "../values/unpacking.ts";
import { liveEntry, LONG_AGO, type EntryRow, type Row } from "../model/row.ts";
import { isDamage } from "../util/errors.ts";
import type { Emit } from "../model/events.ts";
import type { Database } from "../storage/idb/database.ts";
import { find } from "../storage/entries/entry-table.ts";
import type { CachedEntry, MemoryCache } from "./memory-cache.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import type { SettledWrites } from "../tabs/channel.ts";

export interface Found {
  readonly value: unknown;
}

/** What is about to come into memory. */
interface Filling {
  /** The newest version of the key that was told of meanwhile. */
  newest: number;
}

interface Reading extends Filling {
  readonly row: Promise<Row | undefined>;
}

interface Opened extends Found, CachedEntry {}

/** Keys to be read together, and what is found under them. */
interface Batch {
  readonly keys: Set<string>;
  readonly rows: Promise<ReadonlyMap<string, Row>>;
}

export interface ReaderPorts {
  readonly database: Database;
  readonly memory: MemoryCache;
  readonly emit: Emit;
  /** Told of every entry that is retrieved, with the time. */
  readonly onUse: (key: string, now: number) => void;
  /** Removes entries that have expired, off anybody's path. False: they may still be there. */
  readonly removeExpired: (keys: readonly string[], now: number) => Promise<boolean>;
}

/** The way of a read: from memory, else from IndexedDB; checked, then decoded to a fresh value. Never from the network. */
export class Reader {
  readonly #ports: ReaderPorts;
  /** Reads from IndexedDB under way; one that a write overtakes is taken out, so that it does not fill memory with what was. */
  readonly #reads = new Map<string, Reading>();
  /** The keys of the commit under way, if any, but those that another tab has written since it began. */
  #committing = new Map<string, Filling>();
  /** Keys seen to have expired whose rows may still be there, and when: what has expired by then is absent, whatever the clock says. */
  readonly #buried = new Map<string, number>();
  /** Keys to be read together, in the transaction that is about to start. */
  #batch: Batch | undefined;

  constructor(ports: ReaderPorts) {
    this.#ports = ports;
  }

  /** The value under a key if memory has it: a hit, else a miss. In a box, to tell a value that is undefined from none. */
  recall(key: string): Found | undefined {
    // Asked for once: that takes as long as a look into a Map.
    const now = Date.now();
    const hit = this.#ports.memory.get(key, now);
    if (hit === undefined) return undefined;
    this.#ports.onUse(key, now);
    return { value: decode(key, hit.payload, hit.row.format) };
  }

  /** The value under a key as IndexedDB has it, in a box. */
  async look(key: string, fillMemory: boolean): Promise<Found | undefined> {
    if (!fillMemory) return this.open(key, await this.#read(key));
    const reading = this.#readOnce(key);
    try {
      const found = await this.open(key, await reading.row);
      if (found !== undefined && this.#reads.get(key) === reading) this.#fill(key, { row: found.row, payload: found.payload }, reading);
      return found;
    } finally {
      if (this.#reads.get(key) === reading) this.#reads.delete(key);
    }
  }

  /** The keys found, in the order asked. What is damaged is left out, with its event. */
  async bulkRetrieve(keys: Iterable<string>, useCache: boolean): Promise<Map<string, unknown>> {
    const distinct = [...new Set(keys)];
    const found = await Promise.all(
      distinct.map(async (key) => (useCache ? this.recall(key) : undefined) ?? this.look(key, useCache).catch(passOverDamage)),
    );
    const values = new Map<string, unknown>();
    found.forEach((box, index) => {
      if (box !== undefined) values.set(distinct[index] as string, box.value);
    });
    return values;
  }

  /** What lives in a row, checked and decoded: a use of it. */
  async open(key: string, row: Row | undefined): Promise<Opened | undefined> {
    const entry = this.living(key, row);
    if (entry === undefined) return undefined;
    this.#ports.onUse(key, Date.now());
    try {
      const payload = await readPayload(key, entry);
      return { row: entry, payload, value: await decode(key, payload, entry.format) };
    } catch (error) {
      if (isDamage(error)) this.#ports.emit("corrupt", { key, error });
      throw error;
    }
  }

  /** The entry under a key as IndexedDB has it, unless it has expired. */
  async entry(key: string): Promise<EntryRow | undefined> {
    return this.living(key, await this.#read(key));
  }

  /** Takes note of the keys that a commit is about to write, to be remembered unless another tab overtakes it. */
  expect(keys: Iterable<string>): void {
    this.#committing = new Map(Array.from(keys, (key) => [key, { newest: 0 }]));
  }

  /**
   * Takes a committed write into memory; `entry` undefined: the key is deleted. What another tab wrote since the commit
   * began may be the newer one: a page can hear of that before its own transaction's `complete`.
   */
  remember(key: string, entry: { row: EntryRow; payload: Payload } | undefined): void {
    this.#drop(key);
    if (entry !== undefined) this.#fill(key, entry, this.#committing.get(key));
  }

  /** What is in memory of a key, or about to come there, may no longer be true. */
  forget(key: string): void {
    this.#committing.delete(key);
    this.#drop(key);
  }

  /** There are these versions of keys, whoever wrote them: older ones in memory, or about to come there, are not true any more. */
  forgetOlder({ keys, versions }: Pick<SettledWrites, "keys" | "versions">): void {
    keys.forEach((key, index) => {
      const version = versions[index] ?? 0;
      if ((this.#ports.memory.rowOf(key)?.version ?? version) < version) this.#ports.memory.delete(key);
      for (const filling of [this.#reads.get(key), this.#committing.get(key)]) {
        if (filling !== undefined) filling.newest = Math.max(filling.newest, version);
      }
    });
  }

  forgetAll(): void {
    this.#reads.clear();
    this.#committing.clear();
    this.#ports.memory.clear();
  }

  /** What was once seen to have expired is absent from then on, wherever the clock goes. */
  bury(keys: readonly string[], now: number): void {
    const unburied = keys.filter((key) => !this.#buried.has(key));
    for (const key of unburied) {
      this.forget(key);
      this.#buried.set(key, now);
    }
    if (unburied.length > 0) void this.#removeExpired(unburied, now);
  }

  /** The entry if it lives. One that has expired is removed, off the caller's path. */
  living(key: string, row: Row | undefined): EntryRow | undefined {
    const now = Date.now();
    const entry = liveEntry(row, Math.max(now, this.#buried.get(key) ?? now));
    if (entry === undefined && row !== undefined && row.expiresAt !== LONG_AGO) this.bury([key], now);
    return entry;
  }

  /** Whether a key that lives at `now` was seen to have expired before the clock jumped back. */
  isBuried(key: string, now: number): boolean {
    return (this.#buried.get(key) ?? now) > now;
  }

  #fill(key: string, entry: CachedEntry, filling: Filling | undefined): void {
    if (filling !== undefined && filling.newest <= entry.row.version) this.#ports.memory.set(key, entry);
  }

  #drop(key: string): void {
    this.#buried.delete(key);
    this.#reads.delete(key);
    this.#ports.memory.delete(key);
  }

  async #removeExpired(keys: readonly string[], now: number): Promise<void> {
    try {
      if (!(await this.#ports.removeExpired(keys, now))) return;
      for (const key of keys) this.#buried.delete(key);
    } catch {
      // What cannot be removed yet is absent all the same.
    }
  }

  #readOnce(key: string): Reading {
    const reading = this.#reads.get(key) ?? { row: this.#read(key), newest: 0 };
    this.#reads.set(key, reading);
    return reading;
  }

  /** Reads that are asked for in the same turn share a transaction. */
  async #read(key: string): Promise<Row | undefined> {
    const batch = (this.#batch ??= this.#startBatch());
    batch.keys.add(key);
    return (await batch.rows).get(key);
  }

  #startBatch(): Batch {
    const keys = new Set<string>();
    const rows = Promise.resolve().then(() => {
      this.#batch = undefined;
      return this.#ports.database.run([ENTRIES], "readonly", async (transaction) => (await find(transaction, keys)).rows);
    });
    return { keys, rows };
  }
}

function passOverDamage(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}
