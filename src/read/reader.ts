import type { Emit } from "../model/events.ts";
import type { Payload } from "../model/metadata.ts";
import { AFTER_MARKS, liveEntry, type EntryRow, type Row } from "../model/row.ts";
import type { Clock } from "../util/clock.ts";
import { isDamage } from "../util/errors.ts";
import type { Decoded } from "../values/formats.ts";
import { decode } from "../values/formats.ts";
import { readPlain } from "../values/plain-payload.ts";
import type { CoherentCache } from "./coherent-cache.ts";
import type { ExpiredKeys } from "./expired-keys.ts";
import { cachedEntry, type CachedEntry } from "./memory-cache.ts";

export interface ReaderPorts {
  readonly clock: Clock;
  readonly cache: CoherentCache;
  readonly expired: Pick<ExpiredKeys, "add" | "timeFor">;
  readonly readRows: (keys: ReadonlySet<string>) => Promise<ReadonlyMap<string, Row>>;
  readonly emit: Emit;
  /** The payload of a compressed or encrypted row. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, STORAGE_UNAVAILABLE */
  readonly readEncoded: (key: string, row: EntryRow) => Promise<Payload>;
  /** The value to return, by the schema of its key. Undefined: the entry turns out to be absent. Nobody need handle its rejection. */
  readonly check: (key: string, entry: CachedEntry, decoded: Decoded | Promise<Decoded>) => Checked;
  /** Called for every entry that is read. */
  readonly onUse: (key: string, now: number) => void;
}

export type Checked = Decoded | Promise<Decoded | undefined>;

/** Reads values: from memory, else from IndexedDB, where the checksum is verified. Each read decodes a fresh value. */
export class Reader {
  readonly #ports: ReaderPorts;
  /** The keys of the transaction that is about to start, and its rows: reads of the same turn share a transaction. */
  #batch: Batch | undefined;

  constructor(ports: ReaderPorts) {
    this.#ports = ports;
  }

  /** The value under a key if memory holds it. Counts as a hit or a miss. */
  readCached(key: string): Checked | undefined {
    // Reads the clock once, which takes as long as a lookup in a Map.
    const now = this.#ports.clock.now();
    const hit = this.#ports.cache.get(key, now);
    if (hit === undefined) return undefined;
    this.#ports.onUse(key, now);
    return this.#valueOf(key, hit);
  }

  /** The value under a key if memory holds it. Is no use, no hit and no miss. */
  peek(key: string): Checked | undefined {
    const held = this.#ports.cache.peek(key, this.#ports.clock.now());
    return held && this.#valueOf(key, held);
  }

  #valueOf(key: string, held: CachedEntry): Checked {
    return this.#ports.check(key, held, decode(key, held.payload, held.format));
  }

  /** The entry under a key in IndexedDB. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED, STORAGE_UNAVAILABLE */
  async readEntry(key: string, fillMemory: boolean): Promise<DecodedEntry | undefined> {
    const { cache, clock, onUse } = this.#ports;
    const read = fillMemory ? cache.startRead(key, () => this.#read(key)) : undefined;
    let found: DecodedEntry | undefined;
    try {
      found = await this.decodeRow(key, await (read?.row ?? this.#read(key)));
    } finally {
      if (read !== undefined) cache.endRead(key, read, found?.entry);
    }
    if (found !== undefined) onUse(key, clock.now());
    return found;
  }

  /** The row under a key, unless the entry has expired. */
  async readRow(key: string): Promise<EntryRow | undefined> {
    return this.live(key, await this.#read(key));
  }

  /** The entry of a row, unless it has expired. An expired row is removed, off the caller's path. */
  live(key: string, row: Row | undefined): EntryRow | undefined {
    const { clock, expired } = this.#ports;
    const now = clock.now();
    const entry = liveEntry(row, expired.timeFor(key, now));
    if (entry === undefined && Number(row?.expiresAt) > AFTER_MARKS) expired.add([key], now);
    return entry;
  }

  async #read(key: string): Promise<Row | undefined> {
    const batch = (this.#batch ??= this.#startBatch());
    batch.keys.add(key);
    return (await batch.rows).get(key);
  }

  #startBatch(): Batch {
    const keys = new Set<string>();
    const rows = Promise.resolve().then(() => {
      this.#batch = undefined;
      return this.#ports.readRows(keys);
    });
    return { keys, rows };
  }

  /** The entry of a row, unless it has expired. Does not count as a use. @throws KeyStoreError CHECKSUM_MISMATCH, DECODE_FAILED, DECRYPT_FAILED. Damage with a `corrupt` event */
  async decodeRow(key: string, row: Row | undefined): Promise<DecodedEntry | undefined> {
    const live = this.live(key, row);
    if (live === undefined) return undefined;
    try {
      const payload = await ((live.encryption ?? live.encoding) === undefined ? readPlain : this.#ports.readEncoded)(key, live);
      const entry = cachedEntry(live, payload);
      const decoded = await this.#ports.check(key, entry, await decode(key, payload, live.format));
      return decoded && { row: live, entry, decoded };
    } catch (error) {
      if (isDamage(error)) this.#ports.emit("corrupt", { key, error });
      throw error;
    }
  }
}

interface Batch {
  readonly keys: Set<string>;
  readonly rows: ReturnType<ReaderPorts["readRows"]>;
}

export interface DecodedEntry {
  readonly row: EntryRow;
  readonly entry: CachedEntry;
  readonly decoded: Decoded;
}
