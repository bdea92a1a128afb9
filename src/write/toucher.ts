import type { LocalChange } from "../model/change.ts";
import { isDamagedRow } from "../model/row.ts";
import type { Reader } from "../read/reader.ts";
import { find } from "../storage/entries/find.ts";
import { replaceRows } from "../storage/entries/write.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES } from "../storage/idb/schema.ts";
import type { Clock } from "../util/clock.ts";
import type { KeyQueue } from "./key-queue.ts";

export interface ToucherPorts {
  readonly database: Pick<Database, "run">;
  readonly clock: Pick<Clock, "now">;
  readonly queue: Pick<KeyQueue, "enter">;
  readonly reader: Pick<Reader, "live" | "decodeRow">;
  readonly useTime: () => number;
  readonly emit: (changes: readonly LocalChange[]) => void;
}

/**
 * Restarts the TTL of an entry. Must keep the version and the write id of the row: it is no write of the value, and the outbox record of an
 * unconfirmed write still has to match.
 */
export class Toucher {
  readonly #ports: ToucherPorts;

  constructor(ports: ToucherPorts) {
    this.#ports = ports;
  }

  /** @param ttl undefined: the one that the entry has. @returns whether there is such an entry. @throws KeyStoreError CHECKSUM_MISMATCH */
  async touch(key: string, ttl: number | null | undefined): Promise<boolean> {
    const { database, emit, queue, reader } = this.#ports;
    const place = queue.enter([key]);
    try {
      await place.earlierCommitted;
      // `relaxed`: a power failure that undoes it loses no write.
      const { entry, isRestarted } = await database.run([ENTRIES], "readwrite", (transaction) => this.#restart(transaction, key, ttl), {
        durability: "relaxed",
      });
      if (entry === undefined) return false;
      if (isDamagedRow(entry)) await reader.decodeRow(key, entry);
      // Memory has the old expiry, in this tab and in others.
      if (isRestarted) emit([{ source: "local", type: "touch", key, version: entry.version }]);
      return true;
    } finally {
      place.leave();
    }
  }

  /** @returns the entry before, undefined if there is none */
  async #restart(transaction: IDBTransaction, key: string, given: number | null | undefined) {
    const { clock, reader, useTime } = this.#ports;
    const found = await find(transaction, [key]);
    const entry = reader.live(key, found.rows.get(key));
    if (entry === undefined || isDamagedRow(entry)) return { entry, isRestarted: false };
    const { expiresAt, ...row } = entry;
    const ttl = given === undefined ? row.ttl : given;
    if (ttl === null && expiresAt === undefined) return { entry, isRestarted: false };
    const next = { ...row, ttl, lastUsed: useTime(), ...(ttl === null ? undefined : { expiresAt: clock.now() + ttl * 1000 }) };
    await replaceRows(transaction, found, new Map([[key, next]]));
    return { entry, isRestarted: true };
  }
}
