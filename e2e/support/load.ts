import type { Random } from "./random.ts";
import type { WireMessage } from "./wire.ts";

/** One call of a load. It writes its number, so that each value identifies its call. */
export interface LoadStep {
  readonly n: number;
  readonly operation: "store" | "update" | "delete" | "bulkStore";
  readonly keys: readonly string[];
}

/** The result of a call, reported by the page. */
export interface Acknowledgement {
  readonly n: number;
  /** Whether the server has read it. */
  readonly result: boolean;
  /** The error of the call. */
  readonly error?: string;
}

/** Keys that the load writes often. */
const FEW = Array.from({ length: 24 }, (_, n) => `key-${n}`);
/** Enough keys for the library to write blocks when they are stored together. */
const MANY = Array.from({ length: 80 }, (_, n) => `many-${n}`);

/** All keys that a load writes. */
export const LOAD_KEYS = [...FEW, ...MANY];

/** How many steps a page gets at a time. */
const STEPS_AT_A_TIME = 200;

/** Stores, updates, deletes, and bulkStores of a few or all keys. */
function loadStep(random: Random, n: number): LoadStep {
  const operation = random.pick(["store", "store", "store", "update", "update", "delete", "bulkStore"] as const);
  if (operation === "bulkStore" && random.int(1, 5) === 5) return { n, operation, keys: LOAD_KEYS };
  const keys = random.int(1, 5) === 5 ? MANY : FEW;
  const chosen = Array.from({ length: operation === "bulkStore" ? random.int(2, 5) : 1 }, () => random.pick(keys));
  return { n, operation, keys: [...new Set(chosen)] };
}

/** The values that each key may have after a crash. */
export class LoadLedger {
  /** Steps by their number. */
  readonly #steps = new Map<number, LoadStep>();
  readonly #acknowledged = new Map<number, boolean>();
  readonly #atOnce: number;
  /** The last step that was handed out. */
  #lastStep = 0;
  /** No call with a higher number can have begun. */
  #lastBegun = 0;
  readonly errors: string[] = [];

  /** @param atOnce the number of calls that run at the same time */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** The next steps of the load, which has no end. */
  nextSteps(random: Random): LoadStep[] {
    const steps = Array.from({ length: STEPS_AT_A_TIME }, () => loadStep(random, ++this.#lastStep));
    for (const step of steps) this.#steps.set(step.n, step);
    return steps;
  }

  acknowledge({ n, result, error }: Acknowledgement): void {
    // Calls begin in the order of their numbers, and at most `atOnce` run at the same time.
    this.#lastBegun = Math.max(this.#lastBegun, n + this.#atOnce);
    if (error === undefined) this.#acknowledged.set(n, result);
    else this.errors.push(`${n}: ${error}`);
  }

  get acknowledgements(): number {
    return this.#acknowledged.size;
  }

  /** The newest acknowledged call that wrote a key. */
  newestOf(key: string): LoadStep | undefined {
    return this.#writesOf(key).findLast(({ n }) => this.#acknowledged.has(n));
  }

  /** Why a value contradicts the acknowledged writes of its key; undefined if it does not. */
  lossOf(key: string, value: { n: number } | undefined): string | undefined {
    const newest = this.newestOf(key);
    const writes = this.#writesOf(key);
    if (value !== undefined) {
      if (!writes.some(({ n, operation }) => n === value.n && operation !== "delete")) return `${key}: no call wrote ${value.n}`;
      if (newest === undefined || value.n >= newest.n) return undefined;
      return `${key}: has ${value.n}, but ${newest.operation} ${newest.n} was acknowledged`;
    }
    if (newest === undefined || newest.operation === "delete") return undefined;
    // A delete that has begun and is not acknowledged may have removed the entry.
    if (writes.some(({ n, operation }) => n > newest.n && n <= this.#lastBegun && operation === "delete")) return undefined;
    return `${key}: absent, but ${newest.operation} ${newest.n} was acknowledged`;
  }

  /** The calls that resolved true. */
  confirmed(): LoadStep[] {
    return [...this.#acknowledged].flatMap(([n, result]) => (result ? [this.#steps.get(n)!] : []));
  }

  /** Calls that resolved true although the messages have neither their write nor a newer one of the key. */
  unread(messages: readonly WireMessage[]): string[] {
    // The message of a delete does not identify its call: it may supersede any earlier call that ran at the same time.
    const published = new Map<string, number[]>();
    for (const { envelope } of messages) {
      if (envelope === undefined) continue;
      const { n } = envelope.value === undefined ? { n: Infinity } : (JSON.parse(envelope.value) as { n: number });
      const all = published.get(envelope.key) ?? [];
      published.set(envelope.key, all);
      all.push(n);
    }
    const isPublished = (n: number, key: string): boolean => {
      const all = published.get(key) ?? [];
      const lastBefore = all.findLastIndex((other) => other <= n - this.#atOnce);
      return all.some((other, index) => other >= n && (other < Infinity || index > lastBefore));
    };
    return this.confirmed().flatMap(({ n, keys }) => keys.filter((key) => !isPublished(n, key)).map((key) => `${n} of ${key}`));
  }

  #writesOf(key: string): LoadStep[] {
    return [...this.#steps.values()].filter(({ keys }) => keys.includes(key));
  }
}

/**
 * Runs in the page with `store`, so it must refer to nothing outside itself. Takes steps from `nextSteps`, and reports each settled call to
 * `acknowledged`. The test exposes both functions. At most `atOnce` calls run at the same time.
 */
export async function runLoad(atOnce: number): Promise<void> {
  const queue: LoadStep[] = [];
  let filling: Promise<void> | undefined;
  const fill = async (): Promise<void> => {
    queue.push(...(await nextSteps()));
    filling = undefined;
  };
  const calls = {
    store: ({ n, keys: [key = ""] }: LoadStep) => store.store(key, { n }),
    update: ({ n, keys: [key = ""] }: LoadStep) => store.update(key, { n }),
    // `delete` resolves to whether the key existed, not to whether the server has read the message.
    delete: ({ keys: [key = ""] }: LoadStep) => store.delete(key).then(() => false),
    bulkStore: async ({ n, keys }: LoadStep) =>
      [...(await store.bulkStore(keys.map((key) => [key, { n }] as const))).values()].every(Boolean),
  };
  const worker = async (): Promise<void> => {
    while (!stopLoad) {
      const step = queue.shift();
      if (step === undefined) {
        await (filling ??= fill());
        continue;
      }
      const { value = false, ...rest } = await observer.outcome(() => calls[step.operation](step));
      // Awaits the report, so that at most `atOnce` calls have begun without a report.
      await acknowledged({ n: step.n, result: value, ...rest });
    }
  };
  globalThis.stopLoad = false;
  await Promise.all(Array.from({ length: atOnce }, worker));
}
