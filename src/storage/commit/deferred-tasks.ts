import type { Clock, Timer } from "../../util/clock.ts";
import type { Durability } from "../idb/transaction.ts";

/** Work that need not be committed at once: it joins a later transaction. */
export interface DeferredTask {
  /** `strict`: only a strict transaction takes it. `relaxed`: any transaction does. */
  readonly durability: Durability;
  /** May run more than once. */
  work(transaction: IDBTransaction): Promise<void> | void;
  /** Called before `done` when the work could not be committed. */
  failed(): void;
  done(): void;
}

/** Tasks get a transaction when no transaction has run for so long, */
const IDLE_MS = 5;
/** or when the first of them has waited for so long. Until then, writes go first, in relaxed transactions. */
const MAX_WAIT_MS = 100;

export class DeferredTasks {
  readonly #clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly #onDue: () => void;
  #waiting: DeferredTask[] = [];
  /** When the first waiting task was added. */
  #since = 0;
  #timer: Timer | undefined;
  #isIdle = true;
  #isUrgent = false;

  /** @param onDue called when the tasks are due */
  constructor(clock: Pick<Clock, "monotonic" | "setTimer">, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(task: DeferredTask): void {
    if (this.isEmpty) this.#since = this.#clock.monotonic();
    this.#waiting.push(task);
    this.#setTimer();
  }

  /** Whether no transaction runs. */
  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#setTimer();
  }

  /** The next transaction must take the tasks. */
  makeDue(): void {
    if (this.isEmpty) return;
    this.#isUrgent = true;
    this.#onDue();
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get areDue(): boolean {
    return this.#isUrgent || (!this.isEmpty && this.#clock.monotonic() - this.#since >= MAX_WAIT_MS);
  }

  /** Removes the tasks that a transaction of this durability takes. */
  take(durability: Durability): DeferredTask[] {
    const takes = (task: DeferredTask): boolean => durability === "strict" || task.durability === "relaxed";
    const taken = this.#waiting.filter(takes);
    this.#waiting = this.#waiting.filter((task) => !takes(task));
    if (this.isEmpty) this.#isUrgent = false;
    return taken;
  }

  #setTimer(): void {
    if (this.#isIdle && !this.isEmpty) this.#timer ??= this.#clock.setTimer(() => this.makeDue(), IDLE_MS);
  }
}
