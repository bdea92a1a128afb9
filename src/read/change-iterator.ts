import type { PublicChange } from "../model/events.ts";

/** The changes that wait for a consumer. */
const MAX_WAITING = 1_000;

/** The changes of a watch, one after another. When more than MAX_WAITING wait, one `clear` replaces them all. */
export class ChangeIterator implements AsyncIterableIterator<PublicChange> {
  readonly #pattern: string;
  #waiting: PublicChange[] = [];
  /** The calls of `next` that wait for a change. */
  readonly #readers: ((result: IteratorResult<PublicChange>) => void)[] = [];
  #isDone = false;
  /** Ends the watch, which calls `finish`. */
  end: () => void = () => this.finish();

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  readonly push = (change: PublicChange): void => {
    const reader = this.#readers.shift();
    if (reader !== undefined) return reader({ value: change, done: false });
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
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  };

  async next(): Promise<IteratorResult<PublicChange>> {
    if (this.#isDone) return { value: undefined, done: true };
    const change = this.#waiting.shift();
    if (change !== undefined) return { value: change, done: false };
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async return(): Promise<IteratorResult<PublicChange>> {
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
