/** The place of an update among the updates of its key whose functions take time. */
export interface LinePlace {
  /** Resolves when the updates before it have ended. */
  readonly earlierLeft: Promise<unknown>;
  /** Runs a function that takes time. */
  compute<T>(run: () => Promise<T>): Promise<T>;
  leave(): void;
}

interface Line {
  /** Resolves when all updates of the line have ended. */
  allLeft: Promise<unknown>;
  /** Functions of the line that run. */
  computing: number;
}

/**
 * Updates that were overtaken wait for those before them, so that not each of them runs again for each of the others.
 *
 * Must not make an update wait for one whose function runs when the update is called: the function may have called it, and wait for it.
 */
export class UpdateLines {
  /** The line of each key that a new update joins. */
  readonly #lines = new Map<string, Line>();

  join(key: string): LinePlace {
    const present = this.#lines.get(key);
    const line = present === undefined || present.computing > 0 ? { allLeft: Promise.resolve(), computing: 0 } : present;
    const earlierLeft = line.allLeft;
    let leave!: () => void;
    const allLeft = Promise.all([earlierLeft, new Promise<void>((resolve) => (leave = resolve))]);
    line.allLeft = allLeft;
    this.#lines.set(key, line);
    return {
      earlierLeft,
      async compute(run) {
        line.computing++;
        try {
          return await run();
        } finally {
          line.computing--;
        }
      },
      leave: () => {
        leave();
        if (line.allLeft === allLeft && this.#lines.get(key) === line) this.#lines.delete(key);
      },
    };
  }
}
