import type { PublicChange } from "../model/events.ts";

/** The changes that wait for a consumer. */
const MAX_WAITING = 1_000;

/** A call of `next` that waits for a change. */
interface Reader {
  readonly resolve: (result: IteratorResult<PublicChange>) => void;
  readonly reject: (reason: unknown) => void;
}

/** The changes of a watch, one after another. When more than MAX_WAITING wait, one `clear` replaces them all. */
export class ChangeIterator implements AsyncIterableIterator<PublicChange> {
  readonly #pattern: string;
  #checkStorage: (() => Promise<unknown>) | undefined;
  #waiting: PublicChange[] = [];
  readonly #readers: Reader[] = [];
  #isDone = false;
  /** Ends the watch, which calls `finish`. */
  end: () => void = () => this.finish();

  /** @param checkStorage rejects if there is no storage: then no change can come, and the calls of `next` reject */
  constructor(pattern: string, checkStorage?: () => Promise<unknown>) {
    this.#pattern = pattern;
    this.#checkStorage = checkStorage;
  }

  readonly push = (change: PublicChange): void => {
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader.resolve({ value: change, done: false });
    // A `clear` makes the changes before it useless.
    if (change.type === "clear") this.#waiting = [];
    this.#waiting.push(change);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting = [Object.freeze({ key: this.#pattern, type: "clear", source: change.source })];
    }
  };

  /** The watch has ended. */
  readonly finish = (): void => {
    this.#isDone = true;
    this.#waiting = [];
    for (const { resolve } of this.#readers.splice(0)) resolve({ value: undefined, done: true });
  };

  async next(): Promise<IteratorResult<PublicChange>> {
    if (this.#isDone) return { value: undefined, done: true };
    const change = this.#waiting.shift();
    if (change !== undefined) return { value: change, done: false };
    this.#checkStorage?.().catch((error: unknown) => {
      for (const { reject } of this.#readers.splice(0)) reject(error);
      this.end();
    });
    this.#checkStorage = undefined;
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<PublicChange>> {
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
