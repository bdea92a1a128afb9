/** Correct predictions in a row after which rows are added without reading again. A wrong one costs a transaction. */
const RIGHT_PREDICTIONS = 8;

/** Predicts whether a group's keys are new. Rows of new keys need not be read before they are added. */
export class NewKeys {
  readonly #isInMemory: (key: string) => boolean;
  /** The keys of the previous group, until the memory cache has them. */
  #latest: ReadonlySet<string> = new Set();
  #rightPredictions = RIGHT_PREDICTIONS;

  constructor(isInMemory: (key: string) => boolean) {
    this.#isInMemory = isInMemory;
  }

  predict(keys: readonly string[]): boolean {
    return keys.length > 0 && keys.every((key) => !this.#latest.has(key) && !this.#isInMemory(key));
  }

  /** Whether predictions are good enough to act on. */
  get isReliable(): boolean {
    return this.#rightPredictions >= RIGHT_PREDICTIONS;
  }

  /** Keys that were predicted to be new have been read. */
  checked(wasRight: boolean): void {
    this.#rightPredictions = wasRight ? this.#rightPredictions + 1 : 0;
  }

  /** @returns what to call once the memory cache has the keys */
  written(keys: readonly string[]): () => void {
    const latest = new Set(keys);
    this.#latest = latest;
    return () => {
      if (this.#latest === latest) this.#latest = new Set();
    };
  }
}
