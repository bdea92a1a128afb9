import { get, set } from "idb-keyval";
import { LRUCache } from "lru-cache";
import type { StorageValue } from "unstorage";
import { openDexie } from "../peers/dexie.ts";
import { openKeyval } from "../peers/idb-keyval.ts";
import { openKeyv } from "../peers/keyv.ts";
import { openLocalforage } from "../peers/localforage.ts";
import { openBucket } from "../peers/nats-kv.ts";
import { closed, oneShot } from "../peers/websocket.ts";
import { publishAlone } from "../peers/nats.ts";
import { openUnstorage } from "../peers/unstorage.ts";
import { keyOf, payload } from "./payload.ts";
import { confirmed, freshName, openStore, present } from "./stores.ts";
import { atOnce, inSequence, quiet } from "./turns.ts";

/** A plain set and a plain get of one library. */
interface Contender {
  readonly name: string;
  readonly publishes: boolean;
  readonly set?: (n: number) => Promise<unknown>;
  readonly get?: (n: number) => Promise<unknown>;
  end?(): Promise<unknown>;
}

/** Milliseconds of each call, by rounds. */
export interface Contribution {
  readonly name: string;
  readonly publishes: boolean;
  readonly set: number[];
  /** The time of concurrent sets, divided by their number. */
  readonly sets: number[];
  readonly get: number[];
}

export interface ComparisonScale {
  readonly calls: number;
  readonly rounds: number;
}

/** Every library sets and gets in its turn, round after round. */
export async function compareAll(servers: string, { calls, rounds }: ComparisonScale): Promise<Contribution[]> {
  const contenders = await openAll(servers);
  const results = contenders.map(({ name, publishes }): Contribution => ({ name, publishes, set: [], sets: [], get: [] }));
  for (let round = -1; round < rounds; round++) {
    for (const [index, { name, set, get }] of contenders.entries()) {
      const keep = round < 0 ? undefined : results[index];
      // One connection each: Chromium delays connections to a host that has many.
      const ownConnection = ["bare WebSocket", "nats.ws"].some((one) => name.startsWith(one));
      if (set !== undefined) {
        await quiet();
        const ms = await inSequence(calls, set);
        keep?.set.push(ms);
        if (!ownConnection) {
          await quiet();
          const all = await atOnce(calls, set);
          keep?.sets.push(all / calls);
        }
      }
      if (get !== undefined) {
        await quiet();
        const ms = await inSequence(calls, async (n) => present(await get(n)));
        keep?.get.push(ms);
      }
    }
  }
  for (const { end } of contenders) await end?.();
  return results;
}

async function openAll(servers: string): Promise<Contender[]> {
  const plain = await openStore(servers);
  const kept = await openStore(servers, { lingerMs: 60_000 });
  const bucket = await openBucket(servers, freshName());
  const keyval = openKeyval(freshName());
  const dexie = openDexie(freshName());
  const forage = openLocalforage(freshName());
  const unstorage = openUnstorage(freshName());
  const keyv = openKeyv(freshName());
  const lru = new LRUCache<string, object>({ max: 1000 });
  const text = (n: number): string => JSON.stringify(payload(n));
  return [
    {
      name: "nas-keystore (get: from memory)",
      publishes: true,
      set: (n) => confirmed(plain.store.store(keyOf(n), payload(n))),
      get: (n) => plain.store.retrieve(keyOf(n % 50)),
      end: plain.end,
    },
    {
      name: "nas-keystore with lingerMs (get: from IndexedDB)",
      publishes: true,
      set: (n) => confirmed(kept.store.store(keyOf(n), payload(n))),
      get: (n) => kept.store.retrieve(keyOf(n), { useCache: false }),
      end: kept.end,
    },
    { name: "bare WebSocket, close not awaited", publishes: true, set: (n) => oneShot(servers, `bench.${keyOf(n)}`, text(n)) },
    {
      name: "bare WebSocket, close awaited",
      publishes: true,
      set: async (n) => closed(await oneShot(servers, `bench.${keyOf(n)}`, text(n))),
    },
    { name: "nats.ws, close not awaited", publishes: true, set: (n) => publishAlone(servers, `bench.${keyOf(n)}`, text(n)) },
    {
      name: "nats.ws, close awaited",
      publishes: true,
      set: async (n) => (await publishAlone(servers, `bench.${keyOf(n)}`, text(n))).closed(),
    },
    {
      name: "NATS KV, open connection",
      publishes: true,
      set: (n) => bucket.kv.put(`user.${n}`, text(n)),
      get: async (n) => present(await bucket.kv.get(`user.${n}`)).json(),
      end: () => bucket.end(),
    },
    {
      name: "idb-keyval",
      publishes: false,
      set: (n) => set(keyOf(n), payload(n), keyval.store),
      get: (n) => get(keyOf(n), keyval.store),
      end: () => keyval.end(),
    },
    {
      name: "Dexie",
      publishes: false,
      set: async (n) => dexie.table.put(payload(n), keyOf(n) as never),
      get: async (n) => dexie.table.get(keyOf(n) as never),
      end: () => dexie.end(),
    },
    {
      name: "localForage",
      publishes: false,
      set: (n) => forage.forage.setItem(keyOf(n), payload(n)),
      get: (n) => forage.forage.getItem(keyOf(n)),
      end: () => forage.end(),
    },
    {
      name: "unstorage (IndexedDB driver)",
      publishes: false,
      set: (n) => unstorage.setItem(keyOf(n), payload(n) as StorageValue),
      get: (n) => unstorage.getItem(keyOf(n)),
    },
    {
      name: "keyv (keyv-browser)",
      publishes: false,
      set: (n) => keyv.set(keyOf(n), payload(n)),
      get: (n) => keyv.get(keyOf(n)),
    },
    {
      name: "lru-cache (memory only)",
      publishes: false,
      set: async (n) => lru.set(keyOf(n), payload(n)),
      get: async (n) => lru.get(keyOf(n)),
    },
  ];
}
