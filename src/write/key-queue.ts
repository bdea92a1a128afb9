/** The place of a write among the writes of its keys. */
export interface Place {
  /** Resolves when every earlier write of these keys has been handed to the committer, or has failed. */
  readonly turn: Promise<unknown>;
  /** Resolves when every earlier write of these keys is committed, or has failed. */
  readonly earlierCommitted: Promise<unknown>;
  /** The write has been handed to the committer: later writes may have their turn. */
  handedOver(): void;
  /** Of a write of every key: it turns out to be a write of these keys only. Must follow `earlierCommitted`. */
  narrow(keys: ReadonlySet<string>): void;
  /** The write is committed, or has failed. */
  leave(): void;
}

interface Mark {
  readonly handedOver: Promise<void>;
  readonly left: Promise<void>;
  /** The keys of the write, once they are known. */
  readonly narrowed: Promise<ReadonlySet<string>>;
}

/** In one engine, the writes of a key commit in call order, however long each takes to be encoded and hashed. Reads wait for them. */
export class KeyQueue {
  /** The latest write of each key that is under way. */
  #latest = new Map<string, Mark>();
  /** The latest write of every key that is under way. Those in `#latest` were called after it, and wait for it. */
  #latestOfAll: Mark | undefined;

  /** @param keys undefined: every key */
  enter(keys: readonly string[] | undefined): Place {
    const before = this.#underWay(keys);
    let handedOver!: () => void;
    let left!: () => void;
    let narrow!: (keys: ReadonlySet<string>) => void;
    const mark: Mark = {
      handedOver: new Promise((resolve) => (handedOver = resolve)),
      left: new Promise((resolve) => (left = resolve)),
      narrowed: new Promise((resolve) => (narrow = resolve)),
    };
    if (keys === undefined) {
      this.#latest = new Map();
      this.#latestOfAll = mark;
    } else for (const key of keys) this.#latest.set(key, mark);
    const turn = Promise.all(before.map((earlier) => unlessOthers(earlier, earlier.handedOver, keys)));
    const earlierCommitted = Promise.all(before.map((earlier) => unlessOthers(earlier, earlier.left, keys)));
    return {
      turn,
      earlierCommitted,
      handedOver,
      narrow,
      // A write that fails before its turn must not let later writes overtake earlier ones.
      leave: () => {
        void turn.then(handedOver);
        void earlierCommitted.then(() => {
          left();
          for (const key of keys ?? []) if (this.#latest.get(key) === mark) this.#latest.delete(key);
          if (this.#latestOfAll === mark) this.#latestOfAll = undefined;
        });
      },
    };
  }

  /**
   * Resolves when the writes of these keys that have entered are committed, or have failed.
   * @param keys undefined: every key
   */
  readonly committed = async (keys?: readonly string[]): Promise<void> => {
    await Promise.all(this.#underWay(keys).map((mark) => unlessOthers(mark, mark.left, keys)));
  };

  /** The latest writes of these keys. Each has waited for the earlier ones when it leaves. */
  #underWay(keys: readonly string[] | undefined): Mark[] {
    const latest =
      keys === undefined ? [...this.#latest.values(), this.#latestOfAll] : keys.map((key) => this.#latest.get(key) ?? this.#latestOfAll);
    return [...new Set(latest)].filter((mark) => mark !== undefined);
  }
}

/** Resolves with `step`, or as soon as the write of a mark turns out to be one of other keys only. */
function unlessOthers({ narrowed }: Mark, step: Promise<void>, keys: readonly string[] | undefined): Promise<void> {
  if (keys === undefined) return step;
  return Promise.race([step, narrowed.then((written) => (keys.some((key) => written.has(key)) ? step : undefined))]);
}
