import { assertKey } from "../model/key.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import { settleRejected } from "../storage/outbox/outbox-table.ts";
import { countWrites, pendingWrites, type PendingWrite } from "../storage/outbox/pending-writes.ts";

export interface OutboxPorts {
  readonly database: Pick<Database, "run">;
  /** Resolves when earlier writes of these keys, or of every key, are committed or have failed. */
  readonly writesCommitted: (keys?: readonly string[]) => Promise<void>;
  /** Resolves when earlier results have been written into the outbox. */
  readonly caughtUp: Committer["caughtUp"];
  readonly onRetried: () => void;
  /** Called when rejected writes were discarded. Their entries may be evicted from now on. */
  readonly onDiscarded: () => void;
}

/** Counts the writes of the outbox, and retries or discards the rejected ones. */
export class Outbox {
  readonly #ports: OutboxPorts;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
  }

  /** The newest unconfirmed or rejected write of each key, with all results so far. */
  async pendingWrites(): Promise<PendingWrite[]> {
    await this.#ports.writesCommitted();
    return this.#list();
  }

  /** How many keys have a queued write, and how many a rejected one. Does not wait for writes: an `offline` event must not. */
  async count(): Promise<{ pending: number; rejected: number }> {
    return countWrites(await this.#list());
  }

  /** Queues all rejected writes again, or those of one key. @returns how many there were. @throws KeyStoreError INVALID_KEY */
  async retryRejected(key: string | undefined): Promise<number> {
    const count = await this.#settleRejected(key, "retried");
    if (count > 0) this.#ports.onRetried();
    return count;
  }

  /** Discards all rejected writes, or those of one key. Their entries stay. @returns how many there were. @throws KeyStoreError INVALID_KEY */
  async discardRejected(key: string | undefined): Promise<number> {
    const count = await this.#settleRejected(key, "discarded");
    this.#ports.onDiscarded();
    return count;
  }

  async #list(): Promise<PendingWrite[]> {
    await this.#ports.caughtUp();
    return this.#ports.database.run([OUTBOX], "readonly", pendingWrites);
  }

  async #settleRejected(key: string | undefined, state: "retried" | "discarded"): Promise<number> {
    const { caughtUp, database, writesCommitted } = this.#ports;
    if (key !== undefined) assertKey(key);
    await writesCommitted(key === undefined ? undefined : [key]);
    await caughtUp();
    return database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleRejected(transaction, key, state));
  }
}
