import { destroyNamespace, NASKeyStore, type KeyStoreOptions } from "nas-keystore";
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

/** A store that is up: its database open, what loads lazily loaded, and nothing unconfirmed. */
export async function openStore(servers: string, options: KeyStoreOptions = {}): Promise<OpenStore> {
  const namespace = freshName();
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

/** A write that was only queued has not done what it is measured for. */
export async function confirmed(write: Promise<boolean>): Promise<void> {
  if (!(await write)) throw new Error("A write was queued instead of published.");
}

export async function allConfirmed(write: Promise<Map<string, boolean>>, count: number): Promise<void> {
  const results = await write;
  if (results.size !== count || ![...results.values()].every(Boolean)) {
    throw new Error(`Of ${count} writes ${[...results.values()].filter(Boolean).length} were published.`);
  }
}

/** A peer that answers nothing must not look fast. */
export function present<T>(value: T | null | undefined): T {
  if (value === undefined || value === null) throw new Error("Something that was stored is missing.");
  return value;
}
