import type { KeyStoreOptions, NASKeyStore } from "nas-keystore";

/** A call of a store in a worker: `new` with options makes it. */
export type WorkerCall = ["new", KeyStoreOptions] | [keyof NASKeyStore, ...unknown[]];

/** The answer to a call. It is sent on the port of the call. */
export interface WorkerAnswer {
  value?: unknown;
  error?: string;
}

interface CallEvent extends MessageEvent<WorkerCall> {
  /** Keeps a service worker running until the promise settles. */
  waitUntil?: (work: Promise<unknown>) => void;
}

/** Lets pages call a store in this worker. */
export function serveStore(Store: typeof NASKeyStore): void {
  let store: NASKeyStore | undefined;
  const answer = async ([method, ...args]: WorkerCall): Promise<WorkerAnswer> => {
    try {
      if (method === "new") {
        store = new Store(args[0] as KeyStoreOptions);
        return {};
      }
      const call = store?.[method] as (...args: unknown[]) => unknown;
      return { value: await call.apply(store, args) };
    } catch (error) {
      return { error: String(error) };
    }
  };
  globalThis.addEventListener("message", (event: CallEvent) => {
    const answered = answer(event.data).then((result) => event.ports[0]?.postMessage(result));
    event.waitUntil?.(answered);
  });
}
