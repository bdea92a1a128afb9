import type { WriteId } from "../../model/metadata.ts";
import { noteRevision } from "../entries/revisions.ts";
import type { Settlement, Settlements } from "../outbox/outbox-record.ts";
import { removeRecord, settleInOutbox } from "../outbox/outbox-table.ts";
import type { DeferredTask } from "./deferred-tasks.ts";

/** Makes the tasks that record settlements in the outbox, and keeps the settlements of tasks that failed. */
export class SettlementTasks {
  /** By instance id, settlements that could not be written. They follow the next transaction that succeeds, at the latest that of a timer. */
  readonly #unwritten = new Map<string, Map<number, Settlement>>();

  /** @param whole the key of the record, if the settlements confirm a whole one */
  record(instanceId: string, settlements: Settlements, whole: WriteId | undefined): Omit<DeferredTask, "done"> {
    let isFirstRun = true;
    return {
      durability: "strict",
      work: (transaction) => {
        // An older settlement must not be written after this one.
        for (const sequence of settlements.keys()) this.#unwritten.get(instanceId)?.delete(sequence);
        // The record may have changed since a first run that failed.
        const isWhole = isFirstRun && whole !== undefined;
        isFirstRun = false;
        noteRevisions(transaction, instanceId, settlements);
        if (!isWhole) return settleInOutbox(transaction, instanceId, settlements);
        return removeRecord(transaction, whole);
      },
      failed: () => this.#keep(instanceId, settlements),
    };
  }

  get hasUnwritten(): boolean {
    return this.#unwritten.size > 0;
  }

  /** The task that records everything unwritten. Must run in a transaction of its own: it must not make a write fail again. */
  recordUnwritten(): DeferredTask {
    const unwritten = [...this.#unwritten];
    this.#unwritten.clear();
    return {
      durability: "strict",
      work: async (transaction) => {
        for (const [instanceId, settlements] of unwritten) {
          noteRevisions(transaction, instanceId, settlements);
          await settleInOutbox(transaction, instanceId, settlements);
        }
      },
      failed: () => {
        for (const [instanceId, settlements] of unwritten) this.#keep(instanceId, settlements);
      },
      done: () => undefined,
    };
  }

  reset(): void {
    this.#unwritten.clear();
  }

  #keep(instanceId: string, settlements: Settlements): void {
    this.#unwritten.set(instanceId, new Map([...(this.#unwritten.get(instanceId) ?? []), ...settlements]));
  }
}

function noteRevisions(transaction: IDBTransaction, instanceId: string, settlements: Settlements): void {
  for (const [sequence, settlement] of settlements) {
    if (settlement.state !== "confirmed" || settlement.stored === undefined) continue;
    const { key, revision } = settlement.stored;
    noteRevision(transaction, key, revision, [instanceId, sequence]);
  }
}
