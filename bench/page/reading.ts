import { destroyNamespace, NASKeyStore } from "nas-keystore";
import { payload } from "./payload.ts";
import { confirmed, present } from "./stores.ts";

const PAUSE_MS = 2;

let reading: { over: boolean; longest: number; done: Promise<void> } | undefined;

/** Reads a key from IndexedDB again and again. */
export async function startReading(servers: string, namespace: string): Promise<void> {
  const store = new NASKeyStore({ servers, namespace });
  await confirmed(store.store("read", payload(0)));
  const state = { over: false, longest: 0 };
  const read = async (): Promise<void> => {
    while (!state.over) {
      const start = performance.now();
      present(await store.retrieve("read", { useCache: false }));
      state.longest = Math.max(state.longest, performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await store.close();
    await destroyNamespace(namespace);
  };
  reading = Object.assign(state, { done: read() });
}

/** @returns milliseconds of the longest read */
export async function stopReading(): Promise<number> {
  if (reading === undefined) throw new Error("Nobody reads.");
  reading.over = true;
  await reading.done;
  return reading.longest;
}
