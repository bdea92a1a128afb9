import type { Message } from "../model/envelope.ts";
import type { WriteId } from "../model/metadata.ts";
import type { PublishResult } from "../network/transport.ts";
import type { Committer } from "../storage/commit/committer.ts";
import type { Database } from "../storage/idb/database.ts";
import { ENTRIES, OUTBOX } from "../storage/idb/schema.ts";
import type { Clock } from "../util/clock.ts";
import { readOutbox } from "../storage/outbox/outbox-page.ts";
import { type WriteState } from "../storage/outbox/outbox-record.ts";
import type { Exclusive } from "../tabs/locks.ts";
import type { EncryptionSettings } from "../values/key-source.ts";
import { BatchLimits } from "./batch-limits.ts";
import type { MissingKeys, WriteWithoutKey } from "./missing-keys.ts";
import { makeMessages, type OutboxMessage } from "./outbox-messages.ts";
import type { Settler } from "./settler.ts";

export interface OutboxDrainPorts {
  readonly namespace: string;
  readonly instanceId: string;
  /** Messages are confirmed by the stream. */
  readonly isDurable: boolean;
  readonly database: Pick<Database, "run">;
  readonly committer: Pick<Committer, "caughtUp" | "mayResend">;
  readonly settler: Pick<Settler, "settle" | "supersede">;
  readonly missingKeys: Pick<MissingKeys, "load">;
  /** The stores of the page: any of them may have the key of a write. */
  readonly stores: () => readonly EncryptionSettings[];
  readonly clock: Pick<Clock, "monotonic">;
  /** Runs work while no other tab drains the outbox. A tab that takes too long loses its turn to another. False: the wait was aborted. */
  readonly alone: (work: Exclusive, signal?: AbortSignal) => Promise<boolean>;
  /** The instances that live now. They publish their own writes. */
  readonly livingInstances: () => Promise<Living>;
}

export type Living = Pick<ReadonlySet<string>, "has">;

/**
 * Publishes a batch. Undefined: no attempt is to be made now.
 * @param until nothing may be sent after this time, as `clock.monotonic()` counts
 */
export type PublishBatch = (messages: readonly Message[], until: number) => Promise<readonly PublishResult[] | undefined>;

export interface DrainOptions {
  readonly onTurn?: () => void;
  readonly signal?: AbortSignal;
}

export interface Drained {
  /** How many writes the server has confirmed. */
  readonly published: number;
  /** A batch was not published, or its result is unknown. */
  readonly failed: boolean;
  /** False: the outbox still has writes that this tab may publish later. */
  readonly isComplete: boolean;
}

const PAGE_WRITES = 256;
/** How long after the start of its turn a tab may send messages of the outbox. Must be less than TAKEOVER_MS (tabs/locks.ts). */
const TURN_MS = 10_000;

interface Progress {
  /** The last record of the last page that is finished. */
  after: WriteId | undefined;
  isAtEnd: boolean;
  published: number;
  failed: boolean;
}

/**
 * Publishes the outbox, batch by batch, until one fails: the writes that are queued, and those that a dead instance was sending.
 * Each page is a turn of its own, so that other tabs wait a bounded time. Must publish first, read the server's answer, and only then
 * take a write out of the outbox.
 */
export class OutboxDrain {
  readonly #ports: OutboxDrainPorts;
  readonly #limits = new BatchLimits();
  /** The last run has left writes that have to wait, for example for a write of their key that another tab is sending. */
  isHeld = false;
  /** The writes of this run whose keys are missing. */
  #withoutKey: WriteWithoutKey[] = [];

  constructor(ports: OutboxDrainPorts) {
    this.#ports = ports;
  }

  /**
   * @param onTurn called when no other tab drains the outbox, for each page
   * @param signal ends the wait for a turn
   */
  async run(publish: PublishBatch, { onTurn, signal }: DrainOptions = {}): Promise<Drained> {
    const { alone, committer, missingKeys } = this.#ports;
    // Must see writes that have just failed as queued.
    await committer.caughtUp();
    this.isHeld = false;
    this.#withoutKey = [];
    const progress: Progress = { after: undefined, isAtEnd: false, published: 0, failed: false };
    let hasTurn = true;
    while (hasTurn && !progress.isAtEnd && !progress.failed) {
      const turn: Exclusive = async (lost) => {
        onTurn?.();
        await this.#publishPage(progress, publish, lost);
        // Must write the results before the next tab reads the outbox.
        await committer.caughtUp();
      };
      hasTurn = await alone(turn, signal);
    }
    missingKeys.load(this.#withoutKey);
    return { published: progress.published, failed: progress.failed, isComplete: hasTurn && !this.isHeld };
  }

  /**
   * Publishes the next page, as far as the turn allows. Must send nothing once another tab may have taken over: if this tab is
   * paused, its messages would arrive after newer ones.
   */
  async #publishPage(progress: Progress, publish: PublishBatch, lost: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#ports;
    const until = clock.monotonic() + TURN_MS;
    const { messages, next } = await this.#nextPage(progress.after);
    let sent = 0;
    // A tab that was paused between the grant of the lock and its turn learns of the loss while it reads the page.
    while (sent < messages.length && !progress.failed && clock.monotonic() < until && lost?.aborted !== true) {
      const batch = this.#limits.next(messages, sent);
      const results = await this.#publishBatch(batch, (unsent) => publish(unsent, until));
      progress.published += results.filter(({ status }) => status === "confirmed").length;
      progress.failed = results.length === 0 || results.some(({ status }) => status === "unknown");
      sent += batch.length;
    }
    // A page that this turn has not finished is read again in the next turn.
    if (progress.failed || sent < messages.length) return;
    progress.after = next;
    progress.isAtEnd = next === undefined;
  }

  /** @returns the results; none when no attempt is to be made now */
  async #publishBatch(
    batch: readonly OutboxMessage[],
    publish: (messages: readonly Message[]) => ReturnType<PublishBatch>,
  ): Promise<readonly PublishResult[]> {
    const results = await publish(batch.map(({ message }) => message));
    if (results === undefined) return [];
    const sent = batch.map(({ unsent }) => unsent);
    this.#ports.settler.settle(sent, results);
    this.#limits.adapt(results.every(({ status }) => status !== "unknown"));
    return results;
  }

  /** The messages of the next page of the outbox, and the last record that was read. */
  async #nextPage(after: WriteId | undefined): Promise<{ messages: readonly OutboxMessage[]; next: WriteId | undefined }> {
    const { instanceId: self, isDurable, livingInstances, namespace, settler, stores } = this.#ports;
    const before = await livingInstances();
    const page = await this.#readPage(after, before);
    // An instance that has begun to live since then publishes its own writes.
    const living = await livingInstances();
    const unsent = page.unsent.filter(({ instanceId, row }) => {
      if (instanceId === self || !living.has(instanceId)) return true;
      // A call of a durable store may wait for the acknowledgement of the stream.
      return before.has(instanceId) && (isDurable || row.base === undefined);
    });
    settler.supersede(page.superseded);

    const { ready, damaged, withoutKey, isIncomplete } = await makeMessages(namespace, page.generation, unsent, stores());
    for (const { unsent: write, error } of damaged) settler.settle([write], [{ status: "rejected", error }]);
    this.#withoutKey.push(...withoutKey);
    this.isHeld ||= page.held || unsent.length < page.unsent.length || isIncomplete;
    return { messages: ready, next: page.next };
  }

  #readPage(after: WriteId | undefined, living: Living) {
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
