/** What tabs agree on by Web Locks. Without them (old browsers, forbidden storage) a tab is alone, as far as it knows. */

function lockManager(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/**
 * Does something while no other tab does.
 * @returns false: its turn did not come in time, and nothing was done
 */
export async function exclusively(name: string, work: () => Promise<void>, waitMs: number): Promise<boolean> {
  const locks = lockManager();
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), waitMs);
  let begun = false;
  const run = async (): Promise<void> => {
    begun = true;
    clearTimeout(timer);
    await work();
  };
  try {
    await (locks === undefined ? run() : locks.request(name, { signal: waiting.signal }, run));
  } catch (error) {
    if (!begun && isForbidden(error)) await run();
    else if (begun || !waiting.signal.aborted) throw error;
  }
  return begun;
}

/** Where the user forbids the site to store data, Firefox has Web Locks, but each use rejects with a SecurityError. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && error.name === "SecurityError";
}

/** Does something unless another tab is doing it. */
export async function unlessElsewhere(name: string, work: () => Promise<void>): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

export interface LivenessListener {
  /** This store gives its sign from now on: others can watch it. */
  onBegun(): void;
  /** A store that was watched has ended. */
  onDeath(): void;
}

/**
 * A lock that each store holds to say that it lives: the browser lets go of it when the tab dies. The others wait for it,
 * so that they learn of that at once, however slow a hidden tab's timers are.
 */
export class Liveness {
  readonly #prefix: string;
  readonly #self: string;
  readonly #listener: LivenessListener;
  /** Ends this store's sign, and its waiting for the others' end. */
  #ending: AbortController | undefined;
  readonly #watched = new Set<string>();

  constructor(prefix: string, self: string, listener: LivenessListener) {
    this.#prefix = prefix;
    this.#self = self;
    this.#listener = listener;
  }

  /** Gives the sign, and watches those that give one now. */
  async begin(): Promise<void> {
    const locks = lockManager();
    if (locks === undefined || this.#ending !== undefined) return;
    const ending = (this.#ending = new AbortController());
    const { signal } = ending;
    const held = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    const live = (): Promise<void> => {
      this.#listener.onBegun();
      return held;
    };
    locks.request(this.#prefix + this.#self, { signal }, live).catch(() => undefined);
    for (const instanceId of await this.living()) this.watch(instanceId);
  }

  /** Learns of the end of another store. */
  watch(instanceId: string): void {
    const signal = this.#ending?.signal;
    if (signal === undefined || signal.aborted || instanceId === this.#self || this.#watched.has(instanceId)) return;
    this.#watched.add(instanceId);
    lockManager()
      // Shared: a tab that is busy must not keep the others from learning of it.
      ?.request(this.#prefix + instanceId, { signal, mode: "shared" }, () => undefined)
      .then(() => this.#listener.onDeath())
      .catch(() => undefined)
      .finally(() => this.#watched.delete(instanceId));
  }

  /** The stores that give a sign, or have asked for the lock and wait for those who took them for dead. Who only watches shares it. */
  async living(): Promise<Set<string>> {
    const { held = [], pending = [] } =
      (await lockManager()
        ?.query()
        .catch((error) => (isForbidden(error) ? undefined : Promise.reject(error)))) ?? {};
    return new Set(
      [...held, ...pending].flatMap(({ name = "", mode }) =>
        mode === "exclusive" && name.startsWith(this.#prefix) ? [name.slice(this.#prefix.length)] : [],
      ),
    );
  }

  /** Others may take over now. `begin` starts anew, when the page comes back. */
  end(): void {
    this.#ending?.abort();
    this.#ending = undefined;
  }
}
