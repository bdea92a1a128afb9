/** A write's place among those of the same keys. */
export interface Place {
  /** Resolves when every earlier write of these keys has been handed to the committer, or has failed. */
  readonly turn: Promise<unknown>;
  /** Resolves when every earlier write of these keys is committed, or has failed. */
  readonly clear: Promise<unknown>;
  /** Lets later writes have their turn. */
  handedOver(): void;
  /** The write is committed, or has failed. */
  leave(): void;
}

interface Mark {
  readonly handedOver: Promise<void>;
  readonly left: Promise<void>;
}

/** In one store, the writes of a key commit in the order of the calls, however long each takes to be encoded and hashed. */
export class WriteOrder {
  /** The last write of each key that is under way. */
  readonly #last = new Map<string, Mark>();

  enter(keys: readonly string[]): Place {
    const before = new Set<Mark>();
    let handedOver!: () => void;
    let left!: () => void;
    const mark: Mark = {
      handedOver: new Promise((resolve) => (handedOver = resolve)),
      left: new Promise((resolve) => (left = resolve)),
    };
    for (const key of keys) {
      const last = this.#last.get(key);
      if (last !== undefined) before.add(last);
      this.#last.set(key, mark);
    }
    const turn = Promise.all(Array.from(before, (earlier) => earlier.handedOver));
    const clear = Promise.all(Array.from(before, (earlier) => earlier.left));
    return {
      turn,
      clear,
      handedOver,
      // One that fails before its turn must not let those waitsFor it overtake those before it.
      leave: () => {
        void turn.then(handedOver);
        void clear.then(() => {
          left();
          for (const key of keys) if (this.#last.get(key) === mark) this.#last.delete(key);
        });
      },
    };
  }
}
