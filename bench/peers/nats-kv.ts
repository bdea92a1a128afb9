import { Kvm, type KV } from "@nats-io/kv";
import { wsconnect } from "@nats-io/nats-core";

export interface Bucket {
  readonly kv: KV;
  /** Deletes its entries. */
  end(): Promise<void>;
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
