import type { Clock, Timer } from "../../util/clock.ts";
import type { Durability } from "../idb/transaction.ts";

/** Work that need not be committed at once: it joins a later transaction. */
export interface DeferredTask {
  /** `strict`: only a strict transaction takes it. `relaxed`: any transaction does. */
  readonly durability: Durability;
  /** May run more than once. Undefined: nothing has to be awaited. */
  work(transaction: IDBTransaction): Promise<void> | undefined;
  /** Called before `done` when the work could not be committed. */
  failed(): void;
  done(): void;
}

/** How long a task waits before it gets a transaction, while no write waits. 20 ms make `store` 15% faster than 5 ms do; 50 ms gain nothing more. */
const IDLE_DELAY_MS = 20;
/** How long writes may go first, in relaxed transactions. */
const MAX_DELAY_MS = 100;

export class DeferredTasks {
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #onDue: () => void;
  #waiting: DeferredTask[] = [];
  #timer: Timer | undefined;
  #areDue = false;
  #areOverdue = false;

  /** @param onDue called when the tasks have waited long enough */
  constructor(clock: Pick<Clock, "setTimer">, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(task: DeferredTask): void {
    this.#waiting.push(task);
    this.#timer ??= this.#clock.setTimer(() => {
      this.#areDue = true;
      this.#timer = this.#clock.setTimer(() => this.makeDue(), MAX_DELAY_MS - IDLE_DELAY_MS);
      this.#onDue();
    }, IDLE_DELAY_MS);
  }

  /** The next transaction must take the tasks. */
  makeDue(): void {
    if (this.isEmpty) return;
    this.#areDue = this.#areOverdue = true;
    this.#onDue();
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** The tasks get a transaction if no write waits. */
  get areDue(): boolean {
    return this.#areDue;
  }

  /** The next transaction must take the tasks. */
  get areOverdue(): boolean {
    return this.#areOverdue;
  }

  /** Removes the tasks that a transaction of this durability takes. */
  take(durability: Durability): DeferredTask[] {
    const takes = (task: DeferredTask): boolean => durability === "strict" || task.durability === "relaxed";
    const taken = this.#waiting.filter(takes);
    this.#waiting = this.#waiting.filter((task) => !takes(task));
    if (this.isEmpty) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#areDue = this.#areOverdue = false;
    }
    return taken;
  }
}
