import type { Random } from "./random.ts";
import type { StoredEntry } from "./stored-entries.ts";
import type { StoredMessage } from "./stream.ts";

/** Few keys, so that browsers write the same ones; some with characters that a subject escapes. */
export const MODEL_KEYS: readonly string[] = ["a", "b", "user:1", "user:2", "x.y", "50%", "ä ö", "__proto__", "*", "last"];

/** Seconds of entries that expire during a test. */
export const SHORT_TTL = 1;

/** How often each operation is chosen. */
const WEIGHTS = {
  store: 3,
  text: 1,
  update: 2,
  delete: 2,
  bulkStore: 1,
  short: 1,
  long: 1,
  ifRevision: 1,
  deleteIfRevision: 1,
  pull: 2,
  pullAll: 1,
  pullPattern: 1,
  flush: 1,
  clearCache: 1,
};
type Operation = keyof typeof WEIGHTS;
const OPERATIONS = Object.entries(WEIGHTS).flatMap(([operation, weight]) => Array<Operation>(weight).fill(operation as Operation));

/** One call of a model test. It writes its number. */
export interface ModelStep {
  readonly n: string;
  readonly operation: Operation;
  readonly key: string;
  /** For calls that write several keys. */
  readonly keys: readonly string[];
}

export function modelStep(random: Random, n: string): ModelStep {
  const keys = new Set(Array.from({ length: random.int(2, 5) }, () => random.pick(MODEL_KEYS)));
  return { n, operation: random.pick(OPERATIONS), key: random.pick(MODEL_KEYS), keys: [...keys] };
}

/**
 * Makes some calls at the same time. Runs in the page with `store`, so it must refer to nothing outside itself.
 * @returns the codes, or else the messages, of their errors
 */
export async function runSteps(steps: readonly ModelStep[]): Promise<string[]> {
  const revisionOf = async (key: string): Promise<number> => (await store.getMetadata(key))?.revision ?? 0;
  const calls: Record<Operation, (step: ModelStep) => Promise<unknown>> = {
    store: ({ key, n }) => store.store(key, { n }, { tags: [n] }),
    text: ({ key, n }) => store.store(key, n, { format: "text" }),
    update: ({ key, n }) => store.update(key, { n }, { format: "json" }),
    delete: ({ key }) => store.delete(key),
    bulkStore: ({ keys, n }) => store.bulkStore(keys.map((key) => [key, { n }] as const)),
    short: ({ key, n }) => store.store(key, { n }, { ttl: 1 }),
    long: ({ key, n }) => store.store(key, { n }, { ttl: 86_400 }),
    ifRevision: async ({ key, n }) => store.store(key, { n }, { ifRevision: await revisionOf(key) }),
    deleteIfRevision: async ({ key }) => store.delete(key, { ifRevision: await revisionOf(key) }),
    pull: () => store.pull(),
    pullAll: () => store.pull({ full: true }),
    pullPattern: () => store.pull({ pattern: "user:*" }),
    flush: () => store.flush(),
    clearCache: () => store.clearCache(),
  };
  const outcomes = await Promise.all(steps.map((step) => observer.outcome(() => calls[step.operation](step))));
  return outcomes.flatMap(({ error }, index) => (error === undefined ? [] : [`${steps[index]?.operation}: ${error}`]));
}

/** What a call may reject with: no server can be reached, or another browser has written the key. */
export function isExpected(error: string): boolean {
  return /: (STREAM_UNAVAILABLE|VERSION_CONFLICT)$/.test(error);
}

/** The entries of a store that is up to date with these last messages. */
export function entriesOf(messages: Iterable<StoredMessage>): ReadonlyMap<string, StoredEntry> {
  const entries = new Map<string, StoredEntry>();
  for (const { envelope, sequence } of messages) {
    if (envelope?.operation !== "store" || envelope.metadata === undefined || isExpired(envelope.metadata)) continue;
    const { format, size, version, created_at: createdAt, updated_at: updatedAt, ttl, tags, checksum } = envelope.metadata;
    const value = format === "text" ? JSON.stringify(envelope.value) : envelope.value!;
    const state = { pending: false, rejected: false, encrypted: false, revision: sequence };
    entries.set(envelope.key, { value, format, size, version, createdAt, updatedAt, ttl, tags, checksum, ...state });
  }
  return entries;
}

export function isExpired({ ttl, updated_at: updatedAt }: { ttl: number | null; updated_at: string }): boolean {
  return ttl !== null && Date.parse(updatedAt) + ttl * 1000 <= Date.now();
}
