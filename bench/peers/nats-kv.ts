import { Kvm, type KV } from "@nats-io/kv";
import { wsconnect } from "@nats-io/nats-core";

export interface Bucket {
  readonly kv: KV;
  /** Deletes its entries. */
  end(): Promise<void>;
}

/** The stream of a durable store, with the settings of a bucket. The returned function deletes it. */
export async function createStream(servers: string, namespace: string): Promise<() => Promise<void>> {
  const connection = await wsconnect({ servers });
  const name = `NAS_${namespace}`;
  const config = {
    name,
    subjects: [`_kv.${namespace}.key.>`],
    max_msgs_per_subject: 1,
    storage: "file",
    allow_direct: true,
    num_replicas: 1,
  };
  const { error } = (await connection.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config))).json<{ error?: object }>();
  if (error !== undefined) throw new Error(`The stream was not created: ${JSON.stringify(error)}`);
  return async () => {
    await connection.request(`$JS.API.STREAM.DELETE.${name}`);
    await connection.close();
  };
}

/** A bucket with the default settings, on a connection that stays open. */
export async function openBucket(servers: string, name: string): Promise<Bucket> {
  const connection = await wsconnect({ servers });
  const kv = await new Kvm(connection).create(name);
  return {
    kv,
    end: async () => {
      await kv.destroy();
      await connection.close();
    },
  };
}

/** Puts one value into a bucket that exists, on a connection of its own. */
export async function putAlone(servers: string, name: string, key: string, value: string): Promise<void> {
  const connection = await wsconnect({ servers });
  const kv = await new Kvm(connection).open(name);
  await kv.put(key, value);
  await connection.close();
}

/** Watches a bucket, on a new connection, until as many values as it has are in memory. */
export async function watchIntoMemory(servers: string, name: string, count: number): Promise<Map<string, Uint8Array>> {
  const connection = await wsconnect({ servers });
  const kv = await new Kvm(connection).open(name);
  const values = new Map<string, Uint8Array>();
  for await (const { key, value } of await kv.watch()) {
    values.set(key, value);
    if (values.size === count) break;
  }
  void connection.close();
  return values;
}
