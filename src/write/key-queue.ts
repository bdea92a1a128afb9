/** The place of a write among the writes of its keys. */
export interface Place {
  /** Resolves when every earlier write of these keys has been handed to the committer, or has failed. */
  readonly turn: Promise<unknown>;
  /** Resolves when every earlier write of these keys is committed, or has failed. */
  readonly earlierCommitted: Promise<unknown>;
  /** The write has been handed to the committer: later writes may have their turn. */
  handedOver(): void;
  /** The write is committed, or has failed. */
  leave(): void;
}

interface Mark {
  readonly handedOver: Promise<void>;
  readonly left: Promise<void>;
}

/** In one store, the writes of a key commit in call order, however long each takes to be encoded and hashed. */
export class KeyQueue {
  /** The latest write of each key that is under way. */
  readonly #latest = new Map<string, Mark>();

  enter(keys: readonly string[]): Place {
    const before = new Set<Mark>();
    let handedOver!: () => void;
    let left!: () => void;
    const mark: Mark = { handedOver: new Promise((resolve) => (handedOver = resolve)), left: new Promise((resolve) => (left = resolve)) };
    for (const key of keys) {
      const latest = this.#latest.get(key);
      if (latest !== undefined) before.add(latest);
      this.#latest.set(key, mark);
    }
    const turn = Promise.all(Array.from(before, (earlier) => earlier.handedOver));
    const earlierCommitted = Promise.all(Array.from(before, (earlier) => earlier.left));
    return {
      turn,
      earlierCommitted,
      handedOver,
      // A write that fails before its turn must not let later writes overtake earlier ones.
      leave: () => {
        void turn.then(handedOver);
        void earlierCommitted.then(() => {
          left();
          for (const key of keys) if (this.#latest.get(key) === mark) this.#latest.delete(key);
        });
      },
    };
  }
}
