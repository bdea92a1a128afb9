type Granted = (lock: Lock | null) => unknown;
interface Request {
  readonly lock: Lock;
  readonly grant: () => void;
}
interface Hold {
  readonly clientId: string;
  /** Rejects the holder's request: another one takes the lock over. */
  readonly lose: () => void;
}

/** Web Locks in memory, as far as they are used here. Each request stands for a page of its own. */
export class FakeLocks {
  readonly #held = new Map<Lock, Hold>();
  readonly #waiting: Request[] = [];
  readonly #taken = new Set<() => void>();
  /** Called when a lock is granted, or has to be waited for. */
  readonly #checks = new Set<() => void>();
  #requests = 0;

  async request(name: string, options: LockOptions | Granted, work?: Granted): Promise<unknown> {
    const granted = (typeof options === "function" ? options : work) as Granted;
    const { mode = "exclusive", ifAvailable = false, steal = false, signal } = typeof options === "function" ? {} : options;
    const lock: Lock = { name, mode };
    const clientId = String(++this.#requests);
    if (ifAvailable && !this.#isFree(lock)) return granted(null);
    signal?.throwIfAborted();
    let lose!: () => void;
    const lost = new Promise<never>((_, reject) => (lose = () => reject(new DOMException("The lock was stolen.", "AbortError"))));
    lost.catch(() => undefined);
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(request), 1);
        reject(signal?.reason);
        this.#grantNext();
      };
      const request: Request = {
        lock,
        grant: () => {
          signal?.removeEventListener("abort", abort);
          this.#held.set(lock, { clientId, lose });
          resolve();
        },
      };
      if (steal) this.#takeFromHolders(name);
      if (steal) this.#waiting.unshift(request);
      else this.#waiting.push(request);
      signal?.addEventListener("abort", abort, { once: true });
      this.#grantNext();
    });
    try {
      return await Promise.race([granted(lock), lost]);
    } finally {
      this.#held.delete(lock);
      this.#grantNext();
    }
  }

  async query(): Promise<LockManagerSnapshot> {
    return {
      held: Array.from(this.#held, ([{ name, mode }, { clientId }]) => ({ name, mode, clientId })),
      pending: this.#waiting.map(({ lock: { name, mode } }) => ({ name, mode, clientId: "" })),
    };
  }

  /** Resolves when somebody holds the lock exclusively. */
  granted(name: string): Promise<void> {
    return this.#when(() => [...this.#held.keys()].some((held) => held.name === name && held.mode === "exclusive"));
  }

  /** Resolves when somebody waits for the lock. */
  asked(name: string): Promise<void> {
    return this.#when(() => this.#waiting.some(({ lock }) => lock.name === name));
  }

  /** Holds a lock as another tab does; what is returned lets go of it. */
  async take(name: string, mode: LockMode = "exclusive"): Promise<() => void> {
    return new Promise((resolve) => {
      const hold = (): Promise<void> =>
        new Promise((letGo) => {
          this.#taken.add(letGo);
          resolve(letGo);
        });
      // It may be taken over.
      this.request(name, { mode }, hold).catch(() => undefined);
    });
  }

  /** Resolves when all who hold a lock or wait for it now have released it. */
  async free(name: string): Promise<void> {
    await this.request(name, {}, () => undefined);
  }

  /** Releases every lock that `take` holds. */
  releaseTaken(): void {
    for (const release of this.#taken) release();
  }

  #takeFromHolders(name: string): void {
    for (const [lock, { lose }] of this.#held) {
      if (lock.name !== name) continue;
      this.#held.delete(lock);
      lose();
    }
  }

  #isFree({ name, mode }: Lock): boolean {
    return ![...this.#held.keys()].some((held) => held.name === name && (mode === "exclusive" || held.mode === "exclusive"));
  }

  #grantNext(): void {
    const blocked = new Set<string>();
    for (let at = 0; at < this.#waiting.length;) {
      const { lock, grant } = this.#waiting[at] as Request;
      if (blocked.has(lock.name) || !this.#isFree(lock)) {
        blocked.add(lock.name);
        at++;
      } else {
        this.#waiting.splice(at, 1);
        grant();
      }
    }
    for (const check of this.#checks) check();
  }

  #when(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
      check();
    });
  }
}
