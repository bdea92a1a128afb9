/** The rows that the bench measures. page/rows.ts, size.ts, heap.ts and blocking.ts measure them under the same names. */
export interface Goal {
  readonly id: string;
  readonly work: string;
  readonly against: string;
  /** The unit of `target` and `aim`: a ratio of times, or a difference. */
  readonly unit: "ratio" | "ms more" | "MB more" | "KB more";
  /** Undefined: the row has no target. */
  readonly target?: number;
  readonly aim?: number;
  /** The number of calls in one turn, one after another or at once. */
  readonly calls: number;
  /** Measured on a nats-server with batched direct get (2.11), and left out where the machine has none. */
  readonly directGet?: true;
  /** Turns of each side that count, after the warm-up turns. */
  readonly rounds: number;
  readonly warmUps: number;
}

/** Sizes of the stores that are filled once for all rows. */
export interface Sizes {
  readonly large: number;
  readonly middle: number;
  readonly small: number;
}

export const SIZES: Sizes = { large: 100_000, middle: 2_000, small: 100 };
export const QUICK_SIZES: Sizes = { large: 4_000, middle: 400, small: 100 };

const sequence = { unit: "ratio", calls: 20, rounds: 15, warmUps: 3 } as const;
const atOnce = { unit: "ratio", calls: 1000, rounds: 11, warmUps: 3 } as const;

export const GOALS: readonly Goal[] = [
  { id: "store-websocket", work: "store, one after another", against: "bare WebSocket one-shot", target: 1.2, aim: 1.05, ...sequence },
  {
    id: "store-nats",
    work: "store, one after another",
    against: "nats.ws connect, publish, flush, close",
    target: 1.05,
    aim: 1,
    ...sequence,
  },
  {
    id: "store-linger",
    work: "store with lingerMs, one after another",
    against: "idb-keyval set, then publish and flush on an open nats.ws connection",
    target: 1.1,
    aim: 1,
    ...sequence,
    calls: 100,
  },
  {
    id: "stores-connections",
    work: "1,000 stores at once",
    against: "1,000 nats.ws connections at once",
    target: 0.003,
    ...atOnce,
    rounds: 3,
    warmUps: 0,
  },
  {
    id: "stores-kv",
    work: "1,000 stores at once",
    against: "1,000 NATS KV puts at once on an open connection",
    target: 1,
    aim: 0.7,
    ...atOnce,
  },
  {
    id: "durable-store",
    work: "durable store, one after another",
    against: "NATS KV: connect, put, close",
    target: 1.2,
    ...sequence,
  },
  {
    id: "durable-store-linger",
    work: "durable store with lingerMs, one after another",
    against: "NATS KV put, on an open connection",
    target: 1.2,
    ...sequence,
    calls: 100,
  },
  {
    id: "durable-stores",
    work: "1,000 durable stores at once, connection kept",
    against: "1,000 NATS KV puts at once on an open connection",
    target: 0.8,
    ...atOnce,
  },
  { id: "stores-idb", work: "1,000 stores at once", against: "1,000 idb-keyval sets at once", target: 0.3, aim: 0.2, ...atOnce },
  {
    id: "bulk-idb",
    work: "bulkStore of 10,000",
    against: "idb-keyval setMany",
    target: 1.5,
    aim: 1,
    ...atOnce,
    calls: 10_000,
    rounds: 7,
    warmUps: 2,
  },
  {
    id: "bulk-dexie",
    work: "bulkStore of 10,000",
    against: "Dexie bulkPut",
    target: 1.5,
    aim: 1,
    ...atOnce,
    calls: 10_000,
    rounds: 7,
    warmUps: 2,
  },
  {
    id: "bulk-again",
    work: "bulkStore of 10,000 existing keys",
    against: "idb-keyval setMany of the same",
    ...atOnce,
    calls: 10_000,
    rounds: 5,
    warmUps: 1,
  },
  {
    id: "import",
    work: "import of 100,000",
    against: "bulkStore of the same",
    target: 1,
    ...atOnce,
    calls: 100_000,
    rounds: 3,
    warmUps: 1,
  },
  {
    id: "memory",
    work: "retrieve from memory",
    against: "JSON.parse of an awaited lru-cache get",
    target: 1.1,
    ...sequence,
    calls: 20_000,
    warmUps: 5,
  },
  {
    id: "memory-load",
    work: "retrieveOrStore of a value in memory",
    against: "retrieve of the same",
    target: 1.2,
    ...sequence,
    calls: 20_000,
    warmUps: 5,
  },
  {
    id: "cold",
    work: "retrieve from IndexedDB, checksum verified",
    against: "idb-keyval get",
    target: 1.2,
    aim: 1,
    ...sequence,
    calls: 300,
  },
  { id: "cold-alone", work: "the same, for an entry that was stored alone", against: "idb-keyval get", ...sequence, calls: 200 },
  { id: "encrypted-store", work: "store with encryption, one after another", against: "the same without", target: 1.3, ...sequence },
  {
    id: "encrypted-cold",
    work: "retrieve of an encrypted entry from IndexedDB, checksum verified",
    against: "the same of an entry in plain text",
    target: 1.3,
    ...sequence,
    calls: 300,
  },
  {
    id: "colds",
    work: "1,000 of those reads at once",
    against: "1,000 idb-keyval gets at once",
    target: 0.6,
    aim: 0.4,
    ...atOnce,
    rounds: 15,
  },
  {
    id: "bulk-read",
    work: "bulkRetrieve of 1,000, checksums verified",
    against: "idb-keyval getMany",
    target: 1.25,
    aim: 1,
    ...atOnce,
    rounds: 15,
  },
  {
    id: "list",
    work: "listKeys of a 100-key prefix, in 100,000",
    against: "the same in 2,000",
    target: 2,
    ...sequence,
    calls: 50,
  },
  { id: "store-large", work: "store, in 100,000 entries", against: "the same in 100", target: 1.2, ...sequence },
  {
    id: "store-large-linger",
    work: "store with lingerMs, in 100,000 entries",
    against: "the same in 100",
    ...sequence,
    calls: 100,
  },
  {
    id: "store-from-block",
    work: "store with lingerMs, for keys that were stored in bulk",
    against: "the same for keys that were stored alone",
    ...sequence,
    calls: 100,
  },
  {
    id: "watchers",
    work: "store with lingerMs, with 10,000 watches of other keys",
    against: "the same without a watch",
    target: 1.1,
    ...sequence,
    calls: 100,
  },
  {
    id: "pull",
    work: "pull of 100,000 keys into a new database, by a consumer",
    against: "NATS KV watch of as many into memory",
    target: 1.5,
    ...atOnce,
    calls: 100_000,
    rounds: 3,
    warmUps: 1,
  },
  {
    id: "pull-direct",
    work: "the same, by batched direct get (nats-server 2.11)",
    against: "NATS KV watch of as many into memory",
    directGet: true,
    target: 1.5,
    ...atOnce,
    calls: 100_000,
    rounds: 3,
    warmUps: 1,
  },
  {
    id: "pull-again",
    work: "pull of 100 changes, in 100,000 entries",
    against: "the same in 1,000",
    target: 2,
    ...atOnce,
    calls: 100,
    rounds: 15,
  },
  {
    id: "open",
    work: "opening a store of 100,000, until the first retrieve",
    against: "the same with 100",
    target: 1.5,
    ...sequence,
    calls: 5,
  },
  {
    id: "blocked",
    work: "longest read in another tab during a bulkStore of 100,000",
    against: "the same without writes",
    target: 50,
    ...sequence,
    unit: "ms more",
    calls: 100_000,
    rounds: 2,
    warmUps: 0,
  },
  {
    id: "invalidate-task",
    work: "longest task of the page while it invalidates a tag of 10,000 entries",
    against: "the same while it is idle",
    target: 50,
    ...sequence,
    unit: "ms more",
    calls: 10_000,
    rounds: 5,
    warmUps: 1,
  },
  {
    id: "invalidate-blocked",
    work: "longest read in another tab meanwhile",
    against: "the same without writes",
    target: 50,
    ...sequence,
    unit: "ms more",
    calls: 10_000,
    rounds: 3,
    warmUps: 0,
  },
  {
    id: "invalidate-time",
    work: "invalidate of a tag of 10,000 entries",
    against: "bulkStore of the same",
    ...sequence,
    calls: 10_000,
    rounds: 5,
    warmUps: 1,
  },
  {
    id: "heap",
    work: "JavaScript heap, a store of 100,000 opened and one key read",
    against: "the same with 100",
    target: 2,
    ...sequence,
    unit: "MB more",
    calls: 1,
    rounds: 5,
    warmUps: 1,
  },
  {
    id: "size",
    work: "entry chunk of a Vite app with a store, minified and gzipped",
    against: "the same app without",
    target: 10,
    ...sequence,
    unit: "KB more",
    calls: 1,
    rounds: 1,
    warmUps: 0,
  },
];

/** A tenth of the work, to check that everything runs. Its figures are not results. */
export function quick(goal: Goal): Goal {
  return { ...goal, calls: Math.max(5, Math.ceil(goal.calls / 10)), rounds: Math.min(3, goal.rounds), warmUps: Math.min(1, goal.warmUps) };
}
