import type { WriteId } from "../../model/metadata.ts";
import type { Settlements, WriteState } from "../outbox/outbox-record.ts";
import { recordedWrites, type RecordedWrite } from "../outbox/outbox-table.ts";
import type { Commit } from "./draft.ts";
import { MAX_RECORD_WRITES } from "./plan.ts";

/** The states of this engine's own writes, which are known before the outbox records them. */
export class OwnWrites {
  readonly #instanceId: string;
  /** By their sequence numbers, the writes that are not known to be confirmed. */
  readonly #states = new Map<number, WriteState>();
  /** First sequence number → number of writes, for outbox records that are unmodified and hold no delete. */
  readonly #wholeRecords = new Map<number, number>();

  constructor(instanceId: string) {
    this.#instanceId = instanceId;
  }

  committed(commits: readonly Commit[], superseded: readonly WriteId[]): void {
    for (const [instanceId, sequence] of superseded) {
      if (instanceId !== this.#instanceId) continue;
      this.#states.delete(sequence);
      this.#recordChanged(sequence);
    }
    for (const { row, state } of commits) if (state !== undefined) this.#states.set(row.writeId[1], state);
    const sending = commits.filter(({ state }) => state === "sending");
    const [first] = sending;
    if (first !== undefined && sending.length <= MAX_RECORD_WRITES && sending.every(({ draft }) => draft.operation === "store")) {
      this.#wholeRecords.set(first.row.writeId[1], sending.length);
    }
  }

  /** The commits may be in the database although their transaction has failed. If they are, the relay publishes them. */
  maybeCommitted(commits: readonly Commit[]): void {
    for (const { row, state } of commits) if (state !== undefined) this.#states.set(row.writeId[1], "queued");
  }

  /** @returns the key of the record, if the settlements confirm a whole one: then it need not be read */
  settled(settlements: Settlements): WriteId | undefined {
    const [first = 0] = settlements.keys();
    const count = this.#wholeRecords.get(first) ?? 0;
    const isWhole =
      count === settlements.size &&
      [...settlements].every(([sequence, { state }]) => state === "confirmed" && first <= sequence && sequence < first + count);
    for (const [sequence, { state }] of settlements) {
      if (state === "queued" || state === "rejected") this.#states.set(sequence, state);
      else this.#states.delete(sequence);
      this.#recordChanged(sequence);
    }
    return isWhole ? [this.#instanceId, first] : undefined;
  }

  /** The state of any engine's write; undefined: it is confirmed, or superseded. */
  async stateOf(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
    return (await this.statesOf(transaction, [id]))[0]?.state;
  }

  /** The states of any engines' writes, in their order. @param allAtOnce see recordedWrites */
  async statesOf(transaction: IDBTransaction, ids: readonly WriteId[], allAtOnce = false): Promise<(RecordedWrite | undefined)[]> {
    // Another tab may have published a queued write.
    const isRecorded = ([instanceId, sequence]: WriteId): boolean =>
      instanceId !== this.#instanceId || !(["sending", undefined] as unknown[]).includes(this.#states.get(sequence));
    const looked = ids.filter(isRecorded);
    const recordedOf = await recordedWrites(transaction, looked, allAtOnce);
    const wereLooked = new Set(looked);
    return ids.map((id) => {
      const [instanceId, sequence] = id;
      const recorded = wereLooked.has(id) ? recordedOf(id) : undefined;
      if (instanceId !== this.#instanceId) return recorded;
      if (wereLooked.has(id) && recorded === undefined) this.#states.delete(sequence);
      const state = !wereLooked.has(id) || recorded?.state === "sending" ? this.#states.get(sequence) : recorded?.state;
      return state && { state, waitsFor: recorded?.waitsFor };
    });
  }

  /** Whether the relay may send a write of this engine, which the outbox has in `recorded`. A write that is not known here is confirmed. */
  mayResend(sequence: number, recorded: WriteState): boolean {
    const known = this.#states.get(sequence);
    return known === "queued" ? recorded !== "rejected" : known === "rejected" && recorded === "queued";
  }

  reset(): void {
    this.#states.clear();
    this.#wholeRecords.clear();
  }

  #recordChanged(sequence: number): void {
    for (const [first, count] of this.#wholeRecords) {
      if (first <= sequence && sequence < first + count) this.#wholeRecords.delete(first);
    }
  }
}
