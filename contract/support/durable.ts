import type { KeyStoreOptions, NASKeyStore } from "nas-keystore";
import type { Environment, StoredMessage } from "../environment.ts";

/** A durable store, and the stream of its namespace as another client sees it. */
export interface DurableStore {
  readonly store: NASKeyStore;
  /** Publishes a message of a key. Resolves to its revision. */
  publish(key: string, text: string): Promise<number>;
  /** The messages of the stream, oldest first. */
  stored(): Promise<StoredMessage[]>;
}

/** Creates the stream of the namespace, and opens a durable store. */
export async function openDurable(
  { openStore, jetstream, namespace }: Environment,
  options: KeyStoreOptions = {},
  settings: Readonly<Record<string, unknown>> = {},
): Promise<DurableStore> {
  const name = `NAS_${namespace}`;
  await jetstream.createStream({ name, subjects: [`_kv.${namespace}.key.>`], max_msgs_per_subject: 1, allow_direct: true, ...settings });
  return {
    store: openStore({ durable: true, ...options }),
    publish: (key, text) => jetstream.publish(`_kv.${namespace}.key.${key}`, text),
    stored: () => jetstream.stored(name),
  };
}

/** Whether the server has what came with nats-server 2.<minor>. */
export async function hasServer({ jetstream }: Pick<Environment, "jetstream">, minor: number): Promise<boolean> {
  return Number((await jetstream.serverVersion()).split(".")[1]) >= minor;
}

/** A message of another client, with the fields that the Python original has. */
export function envelopeOfAnother(key: string, value: unknown, version: number): string {
  const now = new Date().toISOString();
  const metadata = { format: "json", ttl: null, tags: [], created_at: now, updated_at: now, version };
  return JSON.stringify({ operation: "store", key, value: JSON.stringify(value), metadata });
}
