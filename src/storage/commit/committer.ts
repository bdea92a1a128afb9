import type { WriteId } from "../../model/metadata.ts";
import type { Timer } from "../../util/clock.ts";
import type { Database } from "../idb/database.ts";
import type { Settlements, WriteState } from "../outbox/outbox-record.ts";
import { touchOutbox } from "../outbox/outbox-table.ts";
import { CommitQueue } from "./commit-queue.ts";
import { DeferredTasks, type DeferredTask } from "./deferred-tasks.ts";
import type { Commit, Draft } from "./draft.ts";
import { GroupCommitter, NOTHING, type Conclusion, type Group, type GroupCommitterOptions } from "./group-committer.ts";
import { OwnWrites } from "./own-writes.ts";
import { durabilityOf } from "./plan.ts";
import { SettlementTasks } from "./settlement-tasks.ts";

export interface CommitterOptions extends GroupCommitterOptions {
  /** Whether writes can be published at once. If not, they wait in the outbox. */
  readonly mayPublish: () => boolean;
}

/** The pause between attempts to write settlements that could not be written, while no other transaction takes them along. */
const RETRY_MS = 10_000;

/**
 * Group commit: calls that wait while a transaction runs go into the next one together. A single write never waits for others.
 * Settlements go into strict transactions only, so that a strict transaction follows every relaxed one.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #queue = new CommitQueue();
  readonly #tasks: DeferredTasks;
  readonly #own: OwnWrites;
  readonly #settlements = new SettlementTasks();
  readonly #groups: GroupCommitter;
  /** The task that flushes relaxed commits to the disk, until it is done. */
  #flushing: Promise<void> | undefined;
  #retryTimer: Timer | undefined;
  #isClosed = false;
  /** The transactions under way, one after another; undefined when there is none. */
  #running: Promise<void> | undefined;

  constructor(database: Database, options: CommitterOptions) {
    this.#options = options;
    this.#own = new OwnWrites(options.instanceId);
    this.#tasks = new DeferredTasks(options.clock, () => this.#start());
    this.#groups = new GroupCommitter({
      ...options,
      database,
      own: this.#own,
      settlements: this.#settlements,
      onCommitted: (commits) => {
        // Nothing settles these, so that no strict transaction would follow.
        if (commits.some(({ durability, state }) => durability === "relaxed" && state !== "sending")) void this.#flush();
        options.onCommitted(commits);
      },
    });
  }

  /**
   * Commits drafts in one transaction, after those of earlier calls.
   * @param onWritten called as soon as they are committed: drafts that it commits go into the next transaction
   * @throws KeyStoreError what a draft throws, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE; then nothing has changed
   */
  commit(drafts: readonly Draft[], signal?: AbortSignal, onWritten: () => void = NOTHING): Promise<readonly Commit[]> {
    return new Promise((resolve, reject) => {
      this.#queue.add({ drafts, signal, onWritten, resolve, reject });
      this.#start();
    });
  }

  /** Resolves when a commit is on the disk. Resolves too if it cannot be flushed: it is committed. */
  durable({ durability }: Pick<Commit, "durability">): Promise<void> {
    if (durability === "strict") return Promise.resolve();
    const flushed = this.#flush();
    this.#tasks.makeDue();
    return flushed;
  }

  /** Records how attempts to publish writes ended. This engine uses the results at once; the outbox has them a moment later. */
  async settle(instanceId: string, settlements: Settlements): Promise<void> {
    const whole = instanceId === this.#options.instanceId ? this.#own.settled(settlements) : undefined;
    await this.#defer(this.#settlements.record(instanceId, settlements, whole));
    this.#retryUnwritten();
  }

  /**
   * Runs `work` in the next transaction, or in one of its own if none comes soon. Never rejects.
   * @returns resolves when the work is committed, or has failed
   */
  defer(work: DeferredTask["work"], failed: DeferredTask["failed"] = NOTHING): Promise<void> {
    return this.#defer({ durability: "relaxed", work, failed });
  }

  /** Resolves when later transactions see every settlement made before, if it can be written. */
  async caughtUp(): Promise<void> {
    if (this.#tasks.isEmpty && !this.#settlements.hasUnwritten && this.#running === undefined) return;
    const done = this.#defer({ durability: "strict", work: NOTHING, failed: NOTHING });
    this.#tasks.makeDue();
    await done;
  }

  /** Resolves when there is nothing more to do. Tries once more to record settlements that failed. */
  async settled(): Promise<void> {
    if (this.#settlements.hasUnwritten) await this.caughtUp();
    while (!this.#queue.isEmpty || !this.#tasks.isEmpty || this.#running !== undefined) {
      this.#tasks.makeDue();
      await this.#running;
    }
  }

  /** Like `settled`. Later failures are not retried. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    await this.settled();
  }

  stateOf(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
    return this.#own.stateOf(transaction, id);
  }

  statesOf(transaction: IDBTransaction, ids: readonly WriteId[]): ReturnType<OwnWrites["statesOf"]> {
    return this.#own.statesOf(transaction, ids);
  }

  mayResend(sequence: number, recorded: WriteState): boolean {
    return this.#own.mayResend(sequence, recorded);
  }

  /** Forgets everything about a database that is gone. */
  reset(): void {
    this.#own.reset();
    this.#settlements.reset();
  }

  #defer(task: Omit<DeferredTask, "done">): Promise<void> {
    return new Promise((done) => this.#tasks.add({ ...task, done }));
  }

  /** Must be done before a later transaction commits: a commit that comes after it needs a flush of its own. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#defer({ durability: "strict", work: touchOutbox, failed: NOTHING }).then(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  #retryUnwritten(): void {
    if (this.#isClosed || !this.#settlements.hasUnwritten) return;
    this.#retryTimer ??= this.#options.clock.setTimer(() => {
      this.#retryTimer = undefined;
      void this.caughtUp().then(() => this.#retryUnwritten());
    }, RETRY_MS);
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    this.#tasks.setIdle(false);
    // One turn later: calls of the same turn go together.
    await Promise.resolve();
    let conclude: Conclusion = NOTHING;
    for (;;) {
      if (!this.#hasWork) {
        conclude();
        conclude = NOTHING;
        if (!this.#hasWork) break;
      }
      conclude = await this.#groups.commit(this.#nextGroup(), conclude);
    }
    // Must follow the last check of the queue in the same turn: a call between them would never be committed.
    this.#running = undefined;
    this.#tasks.setIdle(true);
  }

  get #hasWork(): boolean {
    return !this.#queue.isEmpty || this.#tasks.areDue;
  }

  /** Must ask before the transaction begins whether its writes can be published: its durability depends on it. */
  #nextGroup(): Group {
    const calls = this.#queue.take();
    const mayPublish = this.#options.mayPublish();
    const drafts = calls.flatMap((call) => call.drafts);
    const durability = this.#tasks.areDue ? "strict" : durabilityOf(drafts, mayPublish);
    return { calls, tasks: this.#tasks.take(durability), mayPublish, durability };
  }
}
