import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import { settleRejected } from "../storage/outbox/outbox-table.ts";
import { countWrites, pendingWrites } from "../storage/outbox/pending-writes.ts";

export interface OutboxPorts {
  readonly database: Pick<Database, "run">;
  /** Resolves when earlier results have been written into the outbox. */
  readonly caughtUp: Committer["caughtUp"];
  /** Called when rejected writes were queued again. */
  readonly onRetried: () => void;
  /** Called when rejected writes were discarded. Their entries may be evicted from now on. */
  readonly onDiscarded: () => void;
}

/** The counts of the outbox, and its rejected writes. */
export class Outbox {
  readonly #ports: OutboxPorts;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
  }

  /** How many keys have a write that is not confirmed yet, and how many have a rejected write. */
  async count(): Promise<{ pending: number; rejected: number }> {
    return countWrites(await this.#ports.database.run([OUTBOX], "readonly", pendingWrites));
  }

  /** How many keys have a write that is not confirmed yet, with all results so far. */
  async countPending(): Promise<number> {
    await this.#ports.caughtUp();
    return (await this.count()).pending;
  }

  /** Queues all rejected writes again, or those of one key. @returns how many there were */
  async retryRejected(key: string | undefined): Promise<number> {
    const count = await this.#settleRejected(key, "retried");
    if (count > 0) this.#ports.onRetried();
    return count;
  }

  /** Discards all rejected writes, or those of one key. Their entries stay. @returns how many there were */
  async discardRejected(key: string | undefined): Promise<number> {
    const count = await this.#settleRejected(key, "discarded");
    this.#ports.onDiscarded();
    return count;
  }

  async #settleRejected(key: string | undefined, state: "retried" | "discarded"): Promise<number> {
    const { caughtUp, database } = this.#ports;
    await caughtUp();
    return database.run([ENTRIES, OUTBOX], "readwrite", (transaction) => settleRejected(transaction, key, state));
  }
}
