import { destroyNamespace, NASKeyStore } from "nas-keystore";
import { publishAgain } from "../peers/jetstream.ts";
import { createStream, openBucket, watchIntoMemory } from "../peers/nats-kv.ts";
import { keyOf, pairs, payload } from "./payload.ts";
import { allConfirmed, freshName } from "./stores.ts";
import { quiet, timed, type Contest, type Turn } from "./turns.ts";

/** Entries of the store that the row `pull-again` compares with. */
const FEW = 1_000;
const AT_A_TIME = 10_000;

/** Pulls of all entries by a browser that has none, against watches of a bucket that has the same values. Both open a connection. */
export async function pullsAll(servers: string, count: number): Promise<Contest> {
  const { namespace, end } = await filledStream(servers, count);
  const bucketName = freshName();
  const bucket = await openBucket(servers, bucketName);
  await slices(count, (numbers) => Promise.all(numbers.map((n) => bucket.kv.put(`user.${n}`, JSON.stringify(payload(n))))));
  return {
    ours: async () => {
      await destroyNamespace(namespace);
      await quiet();
      let store: NASKeyStore | undefined;
      const ms = await timed(async () => {
        store = durableStore(servers, namespace);
        await pulled(store, count);
      });
      await store?.close();
      return ms;
    },
    peer: () => timed(() => watchIntoMemory(servers, bucketName, count)),
    end: () => Promise.all([bucket.end(), end()]),
  };
}

/** Pulls of a few changes into a large store and into a small one. */
export async function pullsAgain(servers: string, changes: number, large: number): Promise<Contest> {
  const side = async (entries: number): Promise<{ turn: Turn; end: () => Promise<void> }> => {
    const { namespace, end } = await filledStream(servers, entries);
    const store = durableStore(servers, namespace);
    await pulled(store, entries);
    const subjects = Array.from({ length: changes }, (_, n) => `_kv.${namespace}.key.${keyOf(n)}`);
    return {
      turn: async () => {
        await publishAgain(servers, `NAS_${namespace}`, subjects);
        await quiet();
        return timed(() => pulled(store, changes));
      },
      end: async () => {
        await store.close();
        await end();
      },
    };
  };
  const [ours, peer] = [await side(large), await side(FEW)];
  return { ours: ours.turn, peer: peer.turn, end: () => Promise.all([ours.end(), peer.end()]) };
}

function durableStore(servers: string, namespace: string): NASKeyStore {
  return new NASKeyStore({ servers, namespace, durable: true, timeoutMs: 60_000 });
}

/** Fails for a pull of another number of entries. */
async function pulled(store: NASKeyStore, entries: number): Promise<void> {
  const { applied } = await store.pull();
  if (applied !== entries) throw new Error(`Of ${entries} entries ${applied} were pulled.`);
}

/** A stream with this number of entries, and no database. `end` deletes both. */
async function filledStream(servers: string, entries: number): Promise<{ namespace: string; end: () => Promise<unknown> }> {
  const namespace = freshName();
  const deleteStream = await createStream(servers, namespace);
  const store = durableStore(servers, namespace);
  const items = pairs(entries);
  await slices(entries, (numbers) => allConfirmed(store.bulkStore(numbers.map((n) => items[n]!)), numbers.length));
  await store.close();
  await destroyNamespace(namespace);
  return { namespace, end: () => Promise.all([destroyNamespace(namespace), deleteStream()]) };
}

async function slices(count: number, work: (numbers: readonly number[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += AT_A_TIME) {
    await work(Array.from({ length: Math.min(AT_A_TIME, count - from) }, (_, n) => from + n));
  }
}
