import type { Memory } from "../../model/change.ts";
import type { Clock } from "../../util/clock.ts";
import { KeyStoreError, type KeyStoreErrorCode } from "../../util/errors.ts";
import { removeStrays } from "../entries/remove.ts";
import type { Database, Work } from "../idb/database.ts";
import type { Durability } from "../idb/transaction.ts";
import { hasName } from "../idb/errors.ts";
import { explainFailure, isAbortWithoutReason } from "../idb/full-disk.ts";
import { ENTRIES, OUTBOX, RECORD_BYTES, REVISIONS } from "../idb/schema.ts";
import type { Call } from "./commit-queue.ts";
import type { DeferredTask } from "./deferred-tasks.ts";
import type { Commit } from "./draft.ts";
import { areCommitted, FloorChanged, writeGroup, type GroupResult } from "./group-transaction.ts";
import { NewKeys } from "./new-keys.ts";
import type { OwnWrites } from "./own-writes.ts";
import { commitsOf } from "./plan.ts";
import type { SettlementTasks } from "./settlement-tasks.ts";

export interface GroupCommitterOptions {
  /** Names this engine among all that ever write to the database. */
  readonly instanceId: string;
  readonly clock: Clock;
  /** Called for every group in the order of the commits, before its calls resolve. Must not wait. */
  readonly onCommitted: (commits: readonly Commit[]) => void;
  readonly isInMemory: (key: string) => boolean;
  /** Frees so many bytes when the disk is full, but no entries of these keys. Resolves to false if nothing could be freed. */
  readonly makeRoom: (bytes: number, keys: readonly string[]) => Promise<boolean>;
  /** Durable mode: up to which revision this browser has pulled all keys. Undefined, or absent: durable mode is off. */
  readonly pulledTo?: () => number | undefined;
  /** Whether the page ends: it may be gone before it receives the results of the last requests. */
  readonly isPageEnding?: () => boolean;
}

interface GroupCommitterPorts extends GroupCommitterOptions {
  readonly database: Database;
  readonly own: OwnWrites;
  readonly settlements: SettlementTasks;
}

/** The contents of one transaction. */
export interface Group {
  readonly calls: readonly Call[];
  readonly tasks: readonly DeferredTask[];
  readonly mayPublish: boolean;
  readonly durability: Durability;
}

/** Reports a group's results. It runs while the database works on the next group. */
export type Conclusion = () => void;

/** After the first collision, the group is read first. After the second, records that only claim to be one of its entries are removed. */
const MAX_COLLISIONS = 2;

/** Commits one group in one transaction, or in several if it fails. An entry and its outbox record are in the same transaction. */
export class GroupCommitter {
  readonly #ports: GroupCommitterPorts;
  readonly #newKeys: NewKeys;
  #lastSequence = 0;
  /** The version floor, as the last group found it. */
  #lastFloor: number | undefined;

  constructor(ports: GroupCommitterPorts) {
    this.#ports = ports;
    this.#newKeys = new NewKeys(ports.isInMemory);
  }

  /**
   * @param attempt what has been tried: `collisions` counts how often a key that seemed new existed
   * @param previous the conclusion of the group before. It runs once this transaction has its first requests.
   * @returns the conclusion of this group
   */
  async commit(group: Group, previous: Conclusion, attempt = { roomMade: false, collisions: 0 }): Promise<Conclusion> {
    const { calls, tasks, durability } = group;
    const keys = keysOf(calls);
    const drafts = calls.map((call) => call.drafts);
    const seemNew = this.#newKeys.predict(keys);
    const isPageEnding = this.#ports.isPageEnding?.() === true;
    let written: GroupResult | undefined;
    let runs = 0;
    let isConcluded = false;
    const concludePrevious = (): void => {
      if (!isConcluded) previous();
      isConcluded = true;
    };
    const work: Work<GroupResult> = async (transaction, generation) => {
      runs++;
      for (const task of tasks) {
        const working = task.work(transaction);
        if (working === undefined) continue;
        // The task may remove rows, and so raise the floor.
        this.#lastFloor = undefined;
        concludePrevious();
        await working;
      }
      // A second run: the browser may have committed the first, though it reported the transaction as lost.
      if (written !== undefined && (await areCommitted(transaction, commitsOf(written.results)))) {
        concludePrevious();
        return written;
      }
      if (attempt.collisions > 1) await removeStrays(transaction, keys);
      written = await writeGroup(transaction, drafts, {
        instanceId: this.#ports.instanceId,
        generation,
        mayPublish: group.mayPublish,
        durability,
        pulledTo: this.#ports.pulledTo?.(),
        lastFloor: this.#lastFloor,
        // A floor that is not known has to be read before rows are added, and again after them.
        addWithoutReading: seemNew && this.#newKeys.isReliable && !(isPageEnding && this.#lastFloor === undefined),
        isPageEnding,
        now: () => this.#ports.clock.now(),
        nextSequence: () => ++this.#lastSequence,
        statesOf: (ids) => this.#ports.own.statesOf(transaction, ids, isPageEnding),
        onRead: (allNew) => seemNew && this.#newKeys.checked(allNew),
        onRequested: () => {
          concludePrevious();
          tellWriters(calls);
        },
      });
      // Must not call `commit()` otherwise: after it, Firefox commits a transaction although one of its requests fails.
      if (this.#ports.isPageEnding?.() === true) transaction.commit();
      return written;
    };
    try {
      // No call waits for a connection that another one needs.
      written = await this.#ports.database.run([ENTRIES, OUTBOX, REVISIONS], "readwrite", work, {
        durability,
        onOpening: concludePrevious,
      });
    } catch (error) {
      concludePrevious();
      this.#lastFloor = undefined;
      if (error instanceof KeyStoreError && error.cause instanceof FloorChanged) return this.commit(group, NOTHING, attempt);
      if (error instanceof KeyStoreError && hasName(error.cause, "ConstraintError") && attempt.collisions < MAX_COLLISIONS) {
        this.#newKeys.checked(false);
        return this.commit(group, NOTHING, { ...attempt, collisions: attempt.collisions + 1 });
      }
      // The group may be in the database. Then it is published, although its calls reject.
      if (written !== undefined && (runs > 1 || codeOf(error) === "STORAGE_UNAVAILABLE")) {
        this.#ports.own.maybeCommitted(commitsOf(written.results));
      }
      return this.#afterFailure(error, group, attempt.roomMade);
    }
    return this.#afterSuccess(group, written);
  }

  #afterSuccess({ calls, tasks }: Group, { results, superseded, floor }: GroupResult): Conclusion | Promise<Conclusion> {
    this.#lastFloor = floor;
    const commits = commitsOf(results);
    this.#ports.own.committed(commits, superseded);
    const inMemory = this.#newKeys.written(commits.map(({ draft }) => draft.key));
    calls.forEach(({ onWritten }, index) => {
      if (!(results[index] instanceof Error)) onWritten();
    });
    const conclusion = (): void => {
      inMemory();
      if (commits.length > 0) this.#ports.onCommitted(commits);
      for (const { done } of tasks) done();
      calls.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined || result instanceof Error) reject(result);
        else resolve(result);
      });
    };
    if (!this.#ports.settlements.hasUnwritten) return conclusion;
    const unwritten = [this.#ports.settlements.recordUnwritten()];
    return this.commit({ calls: [], tasks: unwritten, mayPublish: true, durability: "strict" }, conclusion);
  }

  async #afterFailure(thrown: unknown, group: Group, roomMade: boolean): Promise<Conclusion> {
    const { calls, tasks } = group;
    // In proportion to the writes, so that a wrong diagnosis evicts little. A browser counts more than payloads, for a small write too.
    const weights = calls.flatMap(({ drafts }) => drafts.map(({ weight }) => weight + RECORD_BYTES));
    const room = Math.max(8 * RECORD_BYTES, 2 * weights.reduce((sum, weight) => sum + weight, 0));
    const error = await explainFailure(thrown, this.#ports.database, room, this.#ports.clock);
    if (codeOf(error) === "QUOTA_EXCEEDED" && !roomMade && (await this.#ports.makeRoom(room, keysOf(calls)).catch(() => false))) {
      return this.commit(group, NOTHING, { roomMade: true, collisions: 0 });
    }
    const isStorageGone = codeOf(error) === "STORAGE_UNAVAILABLE" || codeOf(error) === "CLOSED";
    // One of them may be the cause: each gets a transaction of its own.
    if (calls.length + tasks.length > 1 && (isAbortWithoutReason(error) || !isStorageGone)) {
      let conclusion: Conclusion = NOTHING;
      for (const call of calls) conclusion = await this.commit({ ...group, calls: [call], tasks: [] }, conclusion);
      for (const task of tasks) conclusion = await this.commit({ ...group, calls: [], tasks: [task] }, conclusion);
      return conclusion;
    }
    for (const { failed } of tasks) failed();
    return () => {
      for (const { done } of tasks) done();
      for (const { reject } of calls) reject(error);
    };
  }
}

export const NOTHING = (): undefined => undefined;

function keysOf(calls: readonly Call[]): string[] {
  return calls.flatMap(({ drafts }) => drafts.map(({ key }) => key));
}

/** Tells the stores that make the writes that their transaction begins. */
function tellWriters(calls: readonly Call[]): void {
  const keys = new Map<Memory | undefined, string[]>();
  for (const { drafts } of calls) {
    for (const { writer, key } of drafts) {
      const ofWriter = keys.get(writer);
      if (ofWriter === undefined) keys.set(writer, [key]);
      else ofWriter.push(key);
    }
  }
  for (const [writer, ofWriter] of keys) writer?.beginCommit(ofWriter);
}

function codeOf(error: unknown): KeyStoreErrorCode | undefined {
  return error instanceof KeyStoreError ? error.code : undefined;
}
