import { destroyNamespace, NASKeyStore, type KeyStoreOptions } from "nas-keystore";
import { createStream } from "../peers/nats-kv.ts";
import { payload } from "./payload.ts";

/** A unique name of a database, bucket or namespace. */
export function freshName(): string {
  return `bench-${crypto.randomUUID()}`;
}

export interface OpenStore {
  readonly store: NASKeyStore;
  /** Closes it, and deletes its database. */
  end(): Promise<void>;
}

/** As `openStore`, in durable mode, with its stream. */
export async function openDurableStore(servers: string, options: KeyStoreOptions = {}): Promise<OpenStore> {
  const namespace = freshName();
  const deleteStream = await createStream(servers, namespace);
  const { store, end } = await openStore(servers, { durable: true, namespace, ...options });
  return {
    store,
    end: async () => {
      await end();
      await deleteStream();
    },
  };
}

/** A store that is ready: its database is open, its lazy chunks are loaded, and nothing is unconfirmed. */
export async function openStore(servers: string, { namespace = freshName(), ...options }: KeyStoreOptions = {}): Promise<OpenStore> {
  const store = new NASKeyStore({ servers, namespace, ...options });
  await confirmed(store.store("warm-up", payload(0)));
  return {
    store,
    end: async () => {
      await store.close();
      await destroyNamespace(namespace);
    },
  };
}

/** Fails for a queued write, which has not done the measured work. */
export async function confirmed(write: Promise<boolean>): Promise<void> {
  if (!(await write)) throw new Error("A write was queued instead of published.");
}

export async function allConfirmed(write: Promise<Map<string, boolean>>, count: number): Promise<void> {
  const results = await write;
  if (results.size !== count || ![...results.values()].every(Boolean)) {
    throw new Error(`Of ${count} writes ${[...results.values()].filter(Boolean).length} were published.`);
  }
}

/** Invalidates the entries that have the tag "bench". */
export async function allInvalidated(store: NASKeyStore, count: number): Promise<void> {
  const marked = await store.invalidate({ tag: "bench" });
  if (marked !== count) throw new Error(`Of ${count} entries ${marked} were marked as stale.`);
}

/** Fails for a missing value: a peer that reads nothing must not look fast. */
export function present<T>(value: T | null | undefined): T {
  if (value === undefined || value === null) throw new Error("A stored value is missing.");
  return value;
}
