import { NASKeyStore } from "nas-keystore";
import { groupedKey, payload } from "./payload.ts";
import { allConfirmed } from "./stores.ts";

const AT_A_TIME = 10_000;

/** The stores that a run fills once and closes, by size. */
const filled = new Map<number, Promise<string>>();

/** The namespace of a store with this number of entries. */
export function filledNamespace(servers: string, entries: number): Promise<string> {
  const known = filled.get(entries);
  if (known !== undefined) return known;
  const filling = fill(servers, entries);
  filled.set(entries, filling);
  return filling;
}

async function fill(servers: string, entries: number): Promise<string> {
  const namespace = `bench-filled-${entries}-${crypto.randomUUID()}`;
  const start = performance.now();
  const store = new NASKeyStore({ servers, namespace, timeoutMs: 60_000 });
  for (let from = 0; from < entries; from += AT_A_TIME) {
    const count = Math.min(AT_A_TIME, entries - from);
    const items = Array.from({ length: count }, (_, n) => [groupedKey(from + n), payload(from + n)] as const);
    await allConfirmed(store.bulkStore(items), count);
  }
  await store.close();
  console.info(`filled a store of ${entries} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return namespace;
}
