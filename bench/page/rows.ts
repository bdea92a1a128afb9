import { get, getMany, set, setMany } from "idb-keyval";
import { LRUCache } from "lru-cache";
import { NASKeyStore } from "nas-keystore";
import type { Goal, Sizes } from "../catalogue.ts";
import { openDexie } from "../peers/dexie.ts";
import { openKeyval } from "../peers/idb-keyval.ts";
import { openBucket, putAlone } from "../peers/nats-kv.ts";
import { openNats, publishAlone, publishAndFlush } from "../peers/nats.ts";
import { oneShot } from "../peers/websocket.ts";
import { filledNamespace } from "./filled.ts";
import { groupedKey, keyOf, pairs, payload } from "./payload.ts";
import { pullsAgain, pullsAll } from "./pulls.ts";
import { allConfirmed, allInvalidated, confirmed, freshName, openDurableStore, openStore, present, type OpenStore } from "./stores.ts";
import { atOnce, atOnceUpTo, inSequence, longestTask, quiet, timed, type Contest, type Turn } from "./turns.ts";

export interface World {
  /** The WebSocket URL of the server. */
  readonly servers: string;
  /** The URL of a server with batched direct get. */
  readonly directServers: string | undefined;
  readonly sizes: Sizes;
  /** WebSockets that a page may open at the same time. */
  readonly mostSockets: number;
}

type Row = (goal: Goal, world: World) => Promise<Contest>;

/** Longer than anything between two calls of a turn, so that the connection is kept. */
const LINGER_MS = 60_000;
/** Long enough that a slow machine publishes a thousand writes without queueing any. */
const PATIENT = { timeoutMs: 60_000 };

/** The rows that are compared by time, under the names of the catalogue. */
export const ROWS: Readonly<Record<string, Row>> = {
  "store-websocket": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers);
    return {
      ours: storeInSequence(store, calls),
      peer: () => inSequence(calls, (n) => oneShot(servers, `bench.${keyOf(n)}`, JSON.stringify(payload(n)))),
      end,
    };
  },

  "store-nats": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers);
    return {
      ours: storeInSequence(store, calls),
      peer: () => inSequence(calls, (n) => publishAlone(servers, `bench.${keyOf(n)}`, JSON.stringify(payload(n)))),
      end,
    };
  },

  "store-linger": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, { lingerMs: LINGER_MS });
    const database = openKeyval(freshName());
    const connection = await openNats(servers);
    let n = 0;
    return {
      ours: storeInSequence(store, calls),
      peer: () =>
        inSequence(calls, async () => {
          const value = payload(n++);
          await set(keyOf(n), value, database.store);
          await publishAndFlush(connection, `bench.${keyOf(n)}`, JSON.stringify(value));
        }),
      end: () => Promise.all([end(), database.end(), connection.close()]),
    };
  },

  "stores-connections": async ({ calls }, { servers, mostSockets }) => ({
    ours: storesAtOnce(() => openStore(servers, PATIENT), calls),
    peer: () => atOnceUpTo(mostSockets, calls, (n) => publishAlone(servers, `bench.${keyOf(n)}`, JSON.stringify(payload(n)))),
    end: async () => {},
  }),

  "stores-kv": async ({ calls }, { servers }) => ({
    ours: storesAtOnce(() => openStore(servers, PATIENT), calls),
    peer: kvPutsAtOnce(servers, calls),
    end: async () => {},
  }),

  "durable-store": async ({ calls }, { servers }) => {
    const { store, end } = await openDurableStore(servers);
    const name = freshName();
    const bucket = await openBucket(servers, name);
    return {
      ours: storeInSequence(store, calls),
      peer: () => inSequence(calls, (n) => putAlone(servers, name, `user.${n}`, JSON.stringify(payload(n)))),
      end: () => Promise.all([end(), bucket.end()]),
    };
  },

  "durable-store-linger": async ({ calls }, { servers }) => {
    const { store, end } = await openDurableStore(servers, { lingerMs: LINGER_MS });
    const bucket = await openBucket(servers, freshName());
    let n = 0;
    return {
      ours: storeInSequence(store, calls),
      peer: () => inSequence(calls, () => bucket.kv.put(`user.${n}`, JSON.stringify(payload(n++)))),
      end: () => Promise.all([end(), bucket.end()]),
    };
  },

  "durable-stores": async ({ calls }, { servers }) => ({
    ours: storesAtOnce(() => openDurableStore(servers, { ...PATIENT, lingerMs: LINGER_MS }), calls),
    peer: kvPutsAtOnce(servers, calls),
    end: async () => {},
  }),

  "stores-idb": async ({ calls }, { servers }) => ({
    ours: storesAtOnce(() => openStore(servers, PATIENT), calls),
    peer: async () => {
      const { store, end } = openKeyval(freshName());
      await set("warm-up", payload(0), store);
      await quiet();
      const ms = await atOnce(calls, (n) => set(keyOf(n), payload(n), store));
      await end();
      return ms;
    },
    end: async () => {},
  }),

  "bulk-idb": async ({ calls }, { servers }) => ({
    ours: bulkStore(servers, calls),
    peer: async () => {
      const { store, end } = openKeyval(freshName());
      await set("warm-up", payload(0), store);
      const items = pairs(calls);
      await quiet();
      const ms = await timed(() => setMany(items, store));
      await end();
      return ms;
    },
    end: async () => {},
  }),

  "bulk-dexie": async ({ calls }, { servers }) => ({
    ours: bulkStore(servers, calls),
    peer: async () => {
      const { table, end } = openDexie(freshName());
      await table.put(payload(0), "warm-up" as never);
      const items = pairs(calls);
      const keys = items.map(([key]) => key);
      const values = items.map(([, value]) => value);
      await quiet();
      const ms = await timed(async () => table.bulkPut(values, keys as never[]));
      await end();
      return ms;
    },
    end: async () => {},
  }),

  "bulk-again": async ({ calls }, world) => {
    const { store, keyval, end } = await twoFilled(world, calls);
    const items = pairs(calls);
    return { ours: () => timed(() => allConfirmed(store.bulkStore(items), calls)), peer: () => timed(() => setMany(items, keyval)), end };
  },

  import: async ({ calls }, { servers }) => {
    const source = await openStore(servers, PATIENT);
    await allConfirmed(source.store.bulkStore(pairs(calls)), calls);
    const envelopes: object[] = [];
    const exporting = performance.now();
    for await (const envelope of source.store.export("user:*")) envelopes.push(envelope);
    console.info(`exported ${envelopes.length} entries in ${((performance.now() - exporting) / 1000).toFixed(1)} s`);
    await source.end();
    return { ours: imports(servers, envelopes), peer: bulkStore(servers, calls), end: async () => {} };
  },

  memory: async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, PATIENT);
    const cache = new LRUCache<string, string>({ max: 100 });
    const entries = pairs(50);
    for (const [key, value] of entries) {
      await confirmed(store.store(key, value));
      cache.set(key, JSON.stringify(value));
    }
    const keys = Array.from({ length: calls }, (_, n) => (entries[n % 50] as (typeof entries)[0])[0]);
    // The caller awaits the result, as with any cache in front of a database.
    const read = async (key: string): Promise<string | undefined> => cache.get(key);
    // A loop, because a wrapper around each call would cost more than the call.
    return {
      ours: async () => {
        const start = performance.now();
        for (const key of keys) present(await store.retrieve(key));
        return (performance.now() - start) / calls;
      },
      peer: async () => {
        const start = performance.now();
        for (const key of keys) present(JSON.parse((await read(key)) as string));
        return (performance.now() - start) / calls;
      },
      end,
    };
  },

  "memory-load": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, PATIENT);
    const load = (): never => {
      throw new Error("A stored value is missing.");
    };
    const entries = pairs(50);
    for (const [key, value] of entries) {
      await confirmed(store.store(key, value));
      // The first call looks in IndexedDB whether the entry is stale.
      await store.retrieveOrStore(key, load);
    }
    const keys = Array.from({ length: calls }, (_, n) => (entries[n % 50] as (typeof entries)[0])[0]);
    return {
      ours: async () => {
        const start = performance.now();
        for (const key of keys) present(await store.retrieveOrStore(key, load, { ttl: 3_600 }));
        return (performance.now() - start) / calls;
      },
      peer: async () => {
        const start = performance.now();
        for (const key of keys) present(await store.retrieve(key));
        return (performance.now() - start) / calls;
      },
      end,
    };
  },

  cold: async ({ calls }, world) => {
    const { store, keyval, end } = await twoFilled(world, 1000);
    return {
      ours: () => inSequence(calls, async (n) => present(await store.retrieve(keyOf((n * 7) % 1000), COLD))),
      peer: () => inSequence(calls, async (n) => present(await get<unknown>(keyOf((n * 7) % 1000), keyval))),
      end,
    };
  },

  "cold-alone": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, { lingerMs: LINGER_MS });
    const database = openKeyval(freshName());
    await inSequence(calls, (n) => confirmed(store.store(keyOf(n), payload(n))));
    await setMany(pairs(calls), database.store);
    return {
      ours: () => inSequence(calls, async (n) => present(await store.retrieve(keyOf((n * 7) % calls), COLD))),
      peer: () => inSequence(calls, async (n) => present(await get<unknown>(keyOf((n * 7) % calls), database.store))),
      end: () => Promise.all([end(), database.end()]),
    };
  },

  "encrypted-store": async ({ calls }, { servers }) => {
    const [ours, peer] = [await openStore(servers, { encryption: { key: await newKey() } }), await openStore(servers)];
    return {
      ours: storeInSequence(ours.store, calls),
      peer: storeInSequence(peer.store, calls),
      end: () => Promise.all([ours.end(), peer.end()]),
    };
  },

  "encrypted-cold": async ({ calls }, { servers }) => {
    const [ours, peer] = [await openStore(servers, { ...PATIENT, encryption: { key: await newKey() } }), await openStore(servers, PATIENT)];
    const side = async (store: NASKeyStore): Promise<Turn> => {
      await allConfirmed(store.bulkStore(pairs(1000)), 1000);
      return () => inSequence(calls, async (n) => present(await store.retrieve(keyOf((n * 7) % 1000), COLD)));
    };
    return { ours: await side(ours.store), peer: await side(peer.store), end: () => Promise.all([ours.end(), peer.end()]) };
  },

  colds: async ({ calls }, world) => {
    const { store, keyval, end } = await twoFilled(world, calls);
    return {
      ours: () => atOnce(calls, async (n) => present(await store.retrieve(keyOf(n), COLD))),
      peer: () => atOnce(calls, async (n) => present(await get<unknown>(keyOf(n), keyval))),
      end,
    };
  },

  "bulk-read": async ({ calls }, world) => {
    const { store, keyval, end } = await twoFilled(world, calls);
    const keys = Array.from({ length: calls }, (_, n) => keyOf(n));
    return {
      ours: () =>
        timed(async () => {
          if ((await store.bulkRetrieve(keys, COLD)).size !== calls) throw new Error("Entries are missing.");
        }),
      peer: () => timed(async () => (await getMany<unknown>(keys, keyval)).forEach(present)),
      end,
    };
  },

  list: async ({ calls }, world) => {
    const { large, middle } = world.sizes;
    const [ours, peer] = [await reopened(world, large), await reopened(world, middle)];
    const list =
      (store: NASKeyStore): Turn =>
      () =>
        inSequence(calls, async (n) => {
          if ((await store.listKeys(`group:${n % (middle / 100)}:*`)).length !== 100) throw new Error("Keys are missing.");
        });
    return { ours: list(ours), peer: list(peer), end: () => Promise.all([ours.close(), peer.close()]) };
  },

  "store-large": (goal, world) => storesInFilled(goal, world, 0),
  "store-large-linger": (goal, world) => storesInFilled(goal, world, LINGER_MS),

  "store-from-block": async ({ calls, rounds, warmUps }, { servers }) => {
    const { store, end } = await openStore(servers, { ...PATIENT, lingerMs: LINGER_MS });
    // A rewritten entry leaves its block, so every turn has its own blocks.
    const count = calls * (rounds + warmUps);
    await allConfirmed(store.bulkStore(pairs(count)), count);
    const alone = await openStore(servers, { lingerMs: LINGER_MS });
    await inSequence(calls, (n) => confirmed(alone.store.store(keyOf(n), payload(n))));
    let next = 0;
    return {
      ours: () => inSequence(calls, () => confirmed(store.store(keyOf(next), payload(next++)))),
      peer: () => inSequence(calls, (n) => confirmed(alone.store.store(keyOf(n), payload(n)))),
      end: () => Promise.all([end(), alone.end()]),
    };
  },

  "invalidate-task": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, PATIENT);
    return {
      ours: async () => {
        await allConfirmed(store.bulkStore(pairs(calls), { tags: ["bench"] }), calls);
        await quiet();
        return longestTask(() => allInvalidated(store, calls));
      },
      peer: () => longestTask(() => new Promise((resolve) => setTimeout(resolve, 1_000))),
      end,
    };
  },

  "invalidate-time": async ({ calls }, { servers }) => {
    const { store, end } = await openStore(servers, PATIENT);
    const storeAll = () => timed(() => allConfirmed(store.bulkStore(pairs(calls), { tags: ["bench"] }), calls));
    await storeAll();
    return { ours: () => timed(() => allInvalidated(store, calls)), peer: storeAll, end };
  },

  watchers: async ({ calls }, { servers }) => {
    const [watched, unwatched] = [await openStore(servers, { lingerMs: LINGER_MS }), await openStore(servers, { lingerMs: LINGER_MS })];
    for (let n = 0; n < 10_000; n++) {
      watched.store.watch(`other:${n}`, () => {
        throw new Error("A watch received a change of another key.");
      });
    }
    return {
      ours: storeInSequence(watched.store, calls),
      peer: storeInSequence(unwatched.store, calls),
      end: () => Promise.all([watched.end(), unwatched.end()]),
    };
  },

  pull: ({ calls }, { servers }) => pullsAll(servers, calls),
  "pull-direct": ({ calls }, { directServers }) => pullsAll(present(directServers), calls),
  "pull-again": ({ calls }, { servers, sizes }) => pullsAgain(servers, calls, sizes.large),

  open: async ({ calls }, world) => {
    const { servers, sizes } = world;
    const open = async (entries: number): Promise<Turn> => {
      const namespace = await filledNamespace(servers, entries);
      return async () => {
        let ms = 0;
        for (let n = 0; n < calls; n++) {
          let store: NASKeyStore | undefined;
          ms += await timed(async () => {
            store = new NASKeyStore({ servers, namespace });
            present(await store.retrieve(groupedKey(n)));
          });
          await store?.close();
        }
        return ms / calls;
      };
    };
    return { ours: await open(sizes.large), peer: await open(sizes.small), end: async () => {} };
  },
};

const COLD = { useCache: false } as const;

function newKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** New keys in every turn. */
function storeInSequence(store: NASKeyStore, calls: number): Turn {
  let next = 0;
  return () => inSequence(calls, () => confirmed(store.store(keyOf(next), payload(next++))));
}

/** In a new bucket each turn, on an open connection. */
function kvPutsAtOnce(servers: string, calls: number): Turn {
  return async () => {
    const { kv, end } = await openBucket(servers, freshName());
    await kv.put("warm-up", JSON.stringify(payload(0)));
    await quiet();
    // Keys of NATS KV may not contain a colon.
    const ms = await atOnce(calls, (n) => kv.put(`user.${n}`, JSON.stringify(payload(n))));
    await end();
    return ms;
  };
}

/** In a new store each turn, whose connection is not open yet unless it lingers. */
function storesAtOnce(open: () => Promise<OpenStore>, calls: number): Turn {
  return async () => {
    const { store, end } = await open();
    await quiet();
    const ms = await atOnce(calls, (n) => confirmed(store.store(keyOf(n), payload(n))));
    await end();
    return ms;
  };
}

function bulkStore(servers: string, count: number): Turn {
  return async () => {
    const { store, end } = await openStore(servers, PATIENT);
    const items = pairs(count);
    await quiet();
    const ms = await timed(() => allConfirmed(store.bulkStore(items), count));
    await end();
    return ms;
  };
}

/** In a new store each turn. */
function imports(servers: string, envelopes: readonly object[]): Turn {
  return async () => {
    const { store, end } = await openStore(servers, PATIENT);
    await quiet();
    const ms = await timed(async () => {
      const { imported } = await store.import(envelopes);
      if (imported !== envelopes.length) throw new Error(`Of ${envelopes.length} envelopes ${imported} were imported.`);
    });
    await end();
    return ms;
  };
}

/** The same entries in our store and in idb-keyval. */
async function twoFilled({ servers }: World, count: number) {
  const { store, end } = await openStore(servers, PATIENT);
  const database = openKeyval(freshName());
  await allConfirmed(store.bulkStore(pairs(count)), count);
  await setMany(pairs(count), database.store);
  return { store, keyval: database.store, end: () => Promise.all([end(), database.end()]) };
}

async function reopened({ servers }: World, entries: number, lingerMs = 0): Promise<NASKeyStore> {
  const store = new NASKeyStore({ servers, namespace: await filledNamespace(servers, entries), lingerMs });
  present(await store.retrieve(groupedKey(0)));
  return store;
}

/** Existing keys, so that the stores keep their size. */
async function storesInFilled({ calls }: Goal, world: World, lingerMs: number): Promise<Contest> {
  const { large, small } = world.sizes;
  const [ours, peer] = [await reopened(world, large, lingerMs), await reopened(world, small, lingerMs)];
  const write =
    (store: NASKeyStore): Turn =>
    () =>
      inSequence(calls, (n) => confirmed(store.store(groupedKey(n % small), payload(n))));
  return { ours: write(ours), peer: write(peer), end: () => Promise.all([ours.close(), peer.close()]) };
}
