/** What tabs agree on by Web Locks. Without them (old browsers) a tab is alone, as far as it knows. */

function lockManager(): LockManager | undefined {
  return (globalThis.navigator as Navigator | undefined)?.locks;
}

/**
 * Does something while no other tab does, waiting for its turn.
 * @throws the signal's reason when it aborts the wait
 */
export async function exclusively<T>(name: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const locks = lockManager();
  if (locks === undefined) return work();
  return (await locks.request(name, { signal }, work)) as T;
}

/** Does something unless another tab is doing it. */
export async function unlessElsewhere(name: string, work: () => Promise<void>): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) return work();
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await work();
  });
}

/** A lock that says that its holder lives: the browser lets go of it when the tab dies. */
export class LifeSign {
  readonly #name: string;
  #letGo: (() => void) | undefined;

  constructor(prefix: string, owner: string) {
    this.#name = prefix + owner;
  }

  /** Must be called again after `withdraw`, when the page comes back. */
  give(): void {
    const locks = lockManager();
    if (locks === undefined || this.#letGo !== undefined) return;
    const held = new Promise<void>((resolve) => (this.#letGo = resolve));
    // A page that goes away takes the request with it.
    locks.request(this.#name, { mode: "shared" }, () => held).catch(() => undefined);
  }

  withdraw(): void {
    this.#letGo?.();
    this.#letGo = undefined;
  }
}

/** The owners that give a life sign. */
export async function livingOwners(prefix: string): Promise<Set<string>> {
  const { held = [] } = (await lockManager()?.query()) ?? {};
  return new Set(
    held.flatMap(({ name = "" }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])),
  );
}
