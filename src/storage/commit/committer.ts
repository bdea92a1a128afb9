import type { WriteId } from "../../model/metadata.ts";
import { KeyStoreError, type KeyStoreErrorCode } from "../../util/errors.ts";
import { areCommitted, wasNotNew, writeGroup, type Commit, type Draft } from "./commit-group.ts";
import type { Database, Work } from "../idb/database.ts";
import { removeStrays } from "../entries/entry-writes.ts";
import { explainFailure, isAbortWithoutReason } from "../idb/full-disk.ts";
import { outboxState, removeRecord, settleInOutbox, type Settlement, type WriteState } from "../outbox/outbox-table.ts";
import { ENTRIES, OUTBOX, RECORD_BYTES } from "../idb/schema.ts";

export interface CommitterOptions {
  /** Names this store among all that ever write to the database. */
  readonly instanceId: string;
  /** Whether writes can be published at once, or have to wait in the outbox. */
  readonly mayPublish: () => boolean;
  /** Called with the keys of a group when its transaction is about to begin. */
  readonly onBegin: (keys: readonly string[]) => void;
  /** Called for every group in the order of the commits, before the calls learn of theirs. Must not wait. */
  readonly onCommitted: (commits: readonly Commit[]) => void;
  /** Whether memory holds a row of the key. */
  readonly isInMemory: (key: string) => boolean;
  /** Frees so many bytes when the disk is full. Spares the entries of these keys. False: nothing could be freed. */
  readonly makeRoom: (bytes: number, keys: readonly string[]) => Promise<boolean>;
}

/** A call's drafts: committed together or not at all. */
interface Call {
  readonly drafts: readonly Draft[];
  readonly signal: AbortSignal | undefined;
  onWritten(): void;
  resolve(commits: readonly Commit[]): void;
  reject(error: unknown): void;
}

/** What can go along in the next transaction, or wait a moment for one. */
interface DeferredTask {
  /** Must be fit to run again. Undefined: it needs no answer from the database. */
  work(transaction: IDBTransaction): Promise<void> | undefined;
  /** Called when it has failed, before `done`. */
  failed(): void;
  done(): void;
}

/** What a group comes to. */
interface Written {
  /** For each call its commits, or why it was refused. */
  readonly results: readonly (readonly Commit[] | Error)[];
  /** The writes that left the outbox, since newer ones took their place. */
  readonly overtaken: readonly WriteId[];
}

/** What has been tried before, to commit a group. */
interface Attempt {
  readonly roomMade: boolean;
  /** How often a key that seemed new existed. */
  readonly collisions: number;
}

const FIRST_ATTEMPT: Attempt = { roomMade: false, collisions: 0 };
/** After the first collision, the group looks first. After the second, it also removes records that only claim to be an entry. */
const MAX_COLLISIONS = 2;

/** One transaction takes at most so much, that nobody waits for long waitsFor it. */
const MAX_GROUP_WRITES = 512;
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/** A collision costs a transaction. After one, rows are added without a look again once so many groups in a row had new keys only. */
const NEW_GROUPS = 8;
/** How long an task waits for a write to go along with. */
const TASK_DELAY_MS = 5;

/**
 * Group commit: what is waiting while a transaction runs goes into the next one together. A lone write waits for nobody.
 * One transaction holds an entry and its outbox record: after a crash there are both or neither.
 */
export class Committer {
  readonly #database: Database;
  readonly #options: CommitterOptions;
  #waiting: Call[] = [];
  #tasks: DeferredTask[] = [];
  #deferTimer: ReturnType<typeof setTimeout> | undefined;
  /** Errands have waited long enough for a write to go along with. */
  #tasksDue = false;
  /** The transactions under way, one after another; undefined when there is none. */
  #running: Promise<void> | undefined;
  /** The number of this store's last write. */
  #lastNumber = 0;
  /** Of this store's own writes, those that are not known to be confirmed. */
  readonly #own = new Map<number, WriteState>();
  /** This store's outbox records that are as they were written, with no delete in them: by the number of each one's first write, how many writes it holds. */
  readonly #records = new Map<number, number>();

  /** By their owners, settlements that could not be written: they follow the next transaction that works. */
  readonly #unwritten = new Map<string, Map<number, Settlement>>();

  /** The keys of the previous group, until memory holds them. */
  #latest: ReadonlySet<string> = new Set();
  /** Groups in a row whose keys seemed new and were. */
  #newGroups = NEW_GROUPS;

  constructor(database: Database, options: CommitterOptions) {
    this.#database = database;
    this.#options = options;
  }

  /**
   * Commits drafts in one transaction, after those of earlier calls.
   * @param onWritten called as soon as they are written: what is to be committed then goes into the next transaction
   * @throws KeyStoreError what a draft throws, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE; then nothing has changed
   */
  commit(drafts: readonly Draft[], signal?: AbortSignal, onWritten: () => void = () => undefined): Promise<readonly Commit[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ drafts, signal, onWritten, resolve, reject });
      this.#start();
    });
  }

  /** Writes down, a moment later, how an attempt to publish ended. This store goes by it from now on. */
  settle(instanceId: string, settlements: ReadonlyMap<number, Settlement>): Promise<void> {
    if (instanceId === this.#options.instanceId) {
      for (const [sequence, { state }] of settlements) {
        if (state === "queued" || state === "rejected") this.#own.set(sequence, state);
        else this.#own.delete(sequence);
      }
    }
    // A second run, after a first in vain, goes by what is there.
    let whole = instanceId === this.#options.instanceId ? this.#takeRecord(settlements) : undefined;
    const work: DeferredTask["work"] = (transaction) => {
      // What could not be written before must not come after what is known now.
      for (const sequence of settlements.keys()) this.#unwritten.get(instanceId)?.delete(sequence);
      const first = whole;
      whole = undefined;
      if (first === undefined) return settleInOutbox(transaction, instanceId, settlements);
      removeRecord(transaction, [instanceId, first]);
      return undefined;
    };
    return this.defer(work, () => this.#keep(instanceId, settlements));
  }

  #keep(instanceId: string, settlements: ReadonlyMap<number, Settlement>): void {
    this.#unwritten.set(instanceId, new Map([...(this.#unwritten.get(instanceId) ?? []), ...settlements]));
  }

  /** The first number of the record that was confirmed as a whole, if that is what happened: it need not be read. */
  #takeRecord(settlements: ReadonlyMap<number, Settlement>): number | undefined {
    const [first = 0] = settlements.keys();
    const count = this.#records.get(first) ?? 0;
    const isWhole =
      count === settlements.size &&
      [...settlements].every(([sequence, { state }]) => state === "confirmed" && first <= sequence && sequence < first + count);
    for (const sequence of settlements.keys()) this.#touchRecord(sequence);
    return isWhole ? first : undefined;
  }

  /** The record of a write is not any more as it was written. */
  #touchRecord(sequence: number): void {
    for (const [first, count] of this.#records) if (first <= sequence && sequence < first + count) this.#records.delete(first);
  }

  /**
   * Does something in the transaction of the next write, or in one of its own when none comes soon. Never rejects.
   * @returns when it is done, or has failed
   */
  defer(work: DeferredTask["work"], failed: DeferredTask["failed"] = () => undefined): Promise<void> {
    return new Promise((done) => {
      this.#tasks.push({ work, failed, done });
      this.#deferTimer ??= setTimeout(() => this.#startTasks(), TASK_DELAY_MS);
    });
  }

  /** Resolves when later transactions see what was settled before, as far as it can be written. */
  async caughtUp(): Promise<void> {
    if (this.#tasks.length === 0 && this.#unwritten.size === 0 && this.#running === undefined) return;
    const done = this.defer(() => undefined);
    this.#startTasks();
    await done;
  }

  /** Resolves when there is nothing more to do. What could not be written is tried once more, not waited for. */
  async settled(): Promise<void> {
    if (this.#unwritten.size > 0) await this.caughtUp();
    while (this.#waiting.length > 0 || this.#tasks.length > 0 || this.#running !== undefined) {
      this.#startTasks();
      await this.#running;
    }
  }

  /** The state of a write; undefined: it is confirmed, or a newer one has taken its place. */
  async stateOf(transaction: IDBTransaction, id: WriteId): Promise<WriteState | undefined> {
    const [instanceId, sequence] = id;
    if (instanceId !== this.#options.instanceId) return outboxState(transaction, id);
    const state = this.#own.get(sequence);
    if (state === undefined || state === "sending") return state;
    // What is queued may have been published by another tab.
    const now = await outboxState(transaction, id);
    if (now === undefined) this.#own.delete(sequence);
    return now === "sending" ? this.#own.get(sequence) : now;
  }

  /**
   * Whether this store's n-th write, which the outbox has in `state`, is to be sent again. What is not known here is
   * confirmed, though the outbox may not say so yet.
   */
  mayResend(sequence: number, state: WriteState): boolean {
    const known = this.#own.get(sequence);
    return known === "queued" ? state !== "rejected" : known === "rejected" && state === "queued";
  }

  /** Forgets what it knew of a database that is gone. */
  reset(): void {
    this.#own.clear();
    this.#records.clear();
    this.#unwritten.clear();
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  #startTasks(): void {
    this.#tasksDue = true;
    this.#start();
  }

  get #hasWork(): boolean {
    return this.#waiting.length > 0 || (this.#tasksDue && this.#tasks.length > 0);
  }

  #takeTasks(): DeferredTask[] {
    const tasks = this.#tasks;
    this.#tasks = [];
    this.#tasksDue = false;
    clearTimeout(this.#deferTimer);
    this.#deferTimer = undefined;
    return tasks;
  }

  async #run(): Promise<void> {
    // One turn later: what is called in the same turn goes together.
    await Promise.resolve();
    let conclude = (): void => undefined;
    for (;;) {
      if (!this.#hasWork) {
        conclude();
        conclude = () => undefined;
        if (!this.#hasWork) break;
      }
      conclude = await this.#commitGroup(this.#takeCalls(), this.#takeTasks(), conclude);
    }
    // Must follow the last look at what waits without a turn between, in which something could come and be left.
    this.#running = undefined;
  }

  #takeCalls(): Call[] {
    let writes = 0;
    let bytes = 0;
    let count = 0;
    for (const { drafts } of this.#waiting) {
      writes += drafts.length;
      for (const { weight } of drafts) bytes += weight;
      if (count > 0 && (writes > MAX_GROUP_WRITES || bytes > MAX_GROUP_BYTES)) break;
      count++;
    }
    const taken = this.#waiting.splice(0, count);
    for (const { signal, reject } of taken) if (signal?.aborted === true) reject(signal.reason);
    return taken.filter(({ signal }) => signal?.aborted !== true);
  }

  /**
   * @param before what the group before has left to do, which is done while the database works on this one
   * @returns what this one leaves to do: to tell who waits
   */
  async #commitGroup(
    calls: readonly Call[],
    tasks: readonly DeferredTask[],
    before: () => void,
    { roomMade, collisions }: Attempt = FIRST_ATTEMPT,
  ): Promise<() => void> {
    const keys = calls.flatMap(({ drafts }) => drafts.map(({ key }) => key));
    const seemNew = keys.length > 0 && keys.every((key) => !this.#latest.has(key) && !this.#options.isInMemory(key));
    let written: Written | undefined;
    let runs = 0;
    let isBeforeDone = false;
    const finishBefore = (): void => {
      if (!isBeforeDone) before();
      isBeforeDone = true;
    };
    try {
      const work: Work<Written> = async (transaction, generation) => {
        runs++;
        for (const { work } of tasks) {
          const working = work(transaction);
          if (working === undefined) continue;
          finishBefore();
          await working;
        }
        // Run again, though the browser may have committed what it reported as lost.
        if (written !== undefined && (await areCommitted(transaction, commitsOf(written)))) {
          finishBefore();
          return written;
        }
        if (collisions > 1) await removeStrays(transaction, keys);
        const overtaken: WriteId[] = [];
        const results = await writeGroup(
          transaction,
          calls.map(({ drafts }) => drafts),
          {
            instanceId: this.#options.instanceId,
            generation,
            mayPublish: this.#options.mayPublish(),
            stateOf: (id) => this.stateOf(transaction, id),
            addWithoutLook: seemNew && this.#newGroups >= NEW_GROUPS,
            onLooked: (allNew) => {
              if (seemNew) this.#newGroups = allNew ? this.#newGroups + 1 : 0;
            },
            drawNumber: () => ++this.#lastNumber,
            onOvertaken: (id) => overtaken.push(id),
            onAsked: () => {
              finishBefore();
              this.#options.onBegin(keys);
            },
          },
        );
        return (written = { results, overtaken });
      };
      // Nobody is kept waiting for a connection.
      written = await this.#database.run([ENTRIES, OUTBOX], "readwrite", work, finishBefore);
    } catch (error) {
      finishBefore();
      if (error instanceof KeyStoreError && wasNotNew(error.cause) && collisions < MAX_COLLISIONS) {
        this.#newGroups = 0;
        return this.#commitGroup(calls, tasks, () => undefined, { roomMade, collisions: collisions + 1 });
      }
      // Nobody knows whether that is in the database. If so it is to be sent, though its caller is told that it failed.
      if (written !== undefined && (runs > 1 || codeOf(error) === "STORAGE_UNAVAILABLE")) {
        for (const { row } of commitsOf(written)) this.#own.set(row.writeId[1], "queued");
      }
      return this.#afterFailure(error, calls, tasks, roomMade);
    }
    const { results } = written;
    const commits = commitsOf(written);
    for (const [instanceId, sequence] of written.overtaken) {
      if (instanceId !== this.#options.instanceId) continue;
      this.#own.delete(sequence);
      this.#touchRecord(sequence);
    }
    for (const { row, state } of commits) this.#own.set(row.writeId[1], state);
    this.#noteRecord(commits);
    const latest = new Set(commits.map(({ draft }) => draft.key));
    this.#latest = latest;
    calls.forEach(({ onWritten }, index) => {
      if (!(results[index] instanceof Error)) onWritten();
    });
    const conclude = (): void => {
      if (this.#latest === latest) this.#latest = new Set();
      if (commits.length > 0) this.#options.onCommitted(commits);
      for (const { done } of tasks) done();
      calls.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined || result instanceof Error) reject(result);
        else resolve(result);
      });
    };
    return this.#unwritten.size === 0 ? conclude : this.#writeUnwritten(conclude);
  }

  /** In a transaction of their own: what has failed before must not take a write down. */
  #writeUnwritten(before: () => void): Promise<() => void> {
    const unwritten = [...this.#unwritten];
    this.#unwritten.clear();
    const task: DeferredTask = {
      work: async (transaction) => {
        for (const [instanceId, settlements] of unwritten) await settleInOutbox(transaction, instanceId, settlements);
      },
      failed: () => {
        for (const [instanceId, settlements] of unwritten) this.#keep(instanceId, settlements);
      },
      done: () => undefined,
    };
    return this.#commitGroup([], [task], before);
  }

  #noteRecord(commits: readonly Commit[]): void {
    const sending = commits.filter(({ state }) => state === "sending");
    const [first] = sending;
    if (first !== undefined && sending.every(({ draft }) => draft.operation === "store")) {
      this.#records.set(first.row.writeId[1], sending.length);
    }
  }

  async #afterFailure(thrown: unknown, calls: readonly Call[], tasks: readonly DeferredTask[], roomMade: boolean): Promise<() => void> {
    const drafts = calls.flatMap((call) => call.drafts);
    // In proportion to the writes, so that a wrong diagnosis costs little. Browsers count more than payloads; a small write frees some too.
    const room = Math.max(8 * RECORD_BYTES, 2 * drafts.reduce((sum, { weight }) => sum + weight + RECORD_BYTES, 0));
    const error = await explainFailure(thrown, this.#database, room);
    if (
      codeOf(error) === "QUOTA_EXCEEDED" &&
      !roomMade &&
      (await this.#options
        .makeRoom(
          room,
          drafts.map(({ key }) => key),
        )
        .catch(() => false))
    ) {
      return this.#commitGroup(calls, tasks, () => undefined, { ...FIRST_ATTEMPT, roomMade: true });
    }
    // One of them may be to blame: each by itself.
    if (
      calls.length + tasks.length > 1 &&
      (isAbortWithoutReason(error) || (codeOf(error) !== "STORAGE_UNAVAILABLE" && codeOf(error) !== "CLOSED"))
    ) {
      let conclude = (): void => undefined;
      for (const call of calls) conclude = await this.#commitGroup([call], [], conclude);
      for (const task of tasks) conclude = await this.#commitGroup([], [task], conclude);
      return conclude;
    }
    for (const { failed } of tasks) failed();
    return () => {
      for (const { done } of tasks) done();
      for (const { reject } of calls) reject(error);
    };
  }
}

function commitsOf({ results }: Written): Commit[] {
  return results.flatMap((result) => (result instanceof Error ? [] : result));
}

function codeOf(error: unknown): KeyStoreErrorCode | undefined {
  return error instanceof KeyStoreError ? error.code : undefined;
}
