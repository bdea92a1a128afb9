import type { Message } from "../model/envelope.ts";
import type { WriteId } from "../model/metadata.ts";
import type { PublishResult } from "../network/transport.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import { readOutbox } from "../storage/outbox/outbox-page.ts";
import { type WriteState } from "../storage/outbox/outbox-record.ts";
import { BatchLimits } from "./batch-limits.ts";
import { makeMessages, type OutboxMessage } from "./outbox-messages.ts";
import type { Settler } from "./settler.ts";

export interface OutboxDrainPorts {
  readonly namespace: string;
  readonly instanceId: string;
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "caughtUp" | "mayResend">;
  readonly settler: Pick<Settler, "settle" | "supersede">;
  /** Runs work while no other tab drains the outbox. False: its turn did not come in time. */
  readonly alone: (work: () => Promise<void>) => Promise<boolean>;
  /** The instances whose page lives. They publish their own writes. */
  readonly livingInstances: () => Promise<ReadonlySet<string>>;
}

/** Publishes a batch. Undefined: no attempt is to be made now. */
export type PublishBatch = (messages: readonly Message[]) => Promise<readonly PublishResult[] | undefined>;

export interface Drained {
  /** How many writes the server has confirmed. */
  readonly published: number;
  /** A batch was not published, or its result is unknown. */
  readonly failed: boolean;
  /** False: the outbox still has writes that this tab may publish later. */
  readonly isComplete: boolean;
}

const PAGE_WRITES = 256;

/**
 * Publishes the outbox, batch by batch, until one fails: the writes that are queued, and those that a dead instance was
 * sending. Must publish first, read the server's answer, and only then take a write out of the outbox.
 */
export class OutboxDrain {
  readonly #ports: OutboxDrainPorts;
  readonly #limits = new BatchLimits();
  /** The last run has left writes that have to wait, for example for a write of their key that another tab is sending. */
  isHeld = false;

  constructor(ports: OutboxDrainPorts) {
    this.#ports = ports;
  }

  async run(publish: PublishBatch): Promise<Drained> {
    const { alone, committer } = this.#ports;
    // Must see writes that have just failed as queued.
    await committer.caughtUp();
    this.isHeld = false;
    let published = 0;
    let failed = false;
    const hadItsTurn = await alone(async () => {
      for await (const messages of this.#pages()) {
        for (let start = 0; start < messages.length && !failed;) {
          const batch = this.#limits.next(messages, start);
          const results = await this.#publishBatch(batch, publish);
          published += results.filter(({ status }) => status === "confirmed").length;
          failed = results.length === 0 || results.some(({ status }) => status === "unknown");
          start += batch.length;
        }
        if (failed) break;
      }
      // Must write the results before the next tab reads the outbox.
      await committer.caughtUp();
    });
    return { published, failed, isComplete: hadItsTurn && !this.isHeld };
  }

  /** @returns the results; none when no attempt is to be made now */
  async #publishBatch(batch: readonly OutboxMessage[], publish: PublishBatch): Promise<readonly PublishResult[]> {
    const results = await publish(batch.map(({ message }) => message));
    if (results === undefined) return [];
    const sent = batch.map(({ unsent }) => unsent);
    this.#ports.settler.settle(sent, results);
    this.#limits.adapt(results.every(({ status }) => status !== "unknown"));
    return results;
  }

  /** The messages of the outbox, page by page. */
  async *#pages(): AsyncGenerator<readonly OutboxMessage[], void, void> {
    const { instanceId: self, livingInstances, namespace, settler } = this.#ports;
    let living = await livingInstances();
    let after: WriteId | undefined;
    do {
      const page = await this.#readPage(after, living);
      // An instance that has begun to live since then publishes its own writes.
      const before = living;
      living = await livingInstances();
      const unsent = page.unsent.filter(({ instanceId }) => instanceId === self || before.has(instanceId) || !living.has(instanceId));
      settler.supersede(page.superseded);

      const { ready, damaged, isIncomplete } = await makeMessages(namespace, page.generation, unsent);
      for (const { unsent: write, error } of damaged) settler.settle([write], [{ status: "rejected", error }]);
      this.isHeld ||= page.held || unsent.length < page.unsent.length || isIncomplete;
      yield ready;
      after = page.next;
    } while (after !== undefined);
  }

  #readPage(after: WriteId | undefined, living: ReadonlySet<string>) {
    const { committer, database, instanceId: self } = this.#ports;
    const mayTake = ([instanceId, sequence]: WriteId, state: WriteState): boolean => {
      if (instanceId === self) return committer.mayResend(sequence, state);
      return state === "sending" ? !living.has(instanceId) : state === "queued";
    };
    return database.run([ENTRIES, OUTBOX], "readonly", async (transaction, generation) => ({
      generation,
      ...(await readOutbox(transaction, after, PAGE_WRITES, mayTake)),
    }));
  }
}
