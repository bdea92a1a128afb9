import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { hasServer } from "../support/durable.ts";
import { nextEvent } from "../support/events.ts";
import { until, untilPublished } from "../support/waiting.ts";

const STREAM = "contract";

/** Creates the stream of the case's namespace, and opens a durable store. */
async function withStream(environment: Environment, settings: object = {}): Promise<NASKeyStore> {
  await createStream(environment, settings);
  return environment.openStore({ durable: true });
}

function createStream({ jetstream, namespace }: Environment, settings: object = {}): Promise<void> {
  return jetstream.createStream({ name: STREAM, subjects: [`_kv.${namespace}.key.>`], max_msgs_per_subject: 1, ...settings });
}

/** The messages in the stream, as `key operation version`, by sequence. */
async function stored({ jetstream }: Environment): Promise<[sequence: number, message: string][]> {
  return (await jetstream.stored(STREAM)).map(({ sequence, envelope }) => {
    const version = envelope?.metadata?.version ?? envelope?.version;
    return [sequence, `${envelope?.key} ${envelope?.operation} ${version}`];
  });
}

/** The acknowledgement of the stream. */
export const durable: readonly ContractCase[] = [
  {
    title: "A durable store resolves true once the stream has the write, and the metadata have its revision",
    jetstream: true,
    run: async (environment) => {
      const store = await withStream(environment);
      assert.isTrue(await store.store("a", 1));
      assert.isTrue(await store.update("a", 2));
      assert.deepEqual([...(await store.bulkStore({ b: 1, c: 1 }))], [["b", true], ["c", true]]); // prettier-ignore
      assert.isTrue(await store.delete("c"));
      assert.isFalse(await store.delete("c"));
      assert.deepEqual(
        (await stored(environment)).map(([, message]) => message),
        ["a store 2", "b store 1", "c delete 3"],
      );
      const [[sequence]] = (await stored(environment)) as [[number, string]];
      assert.equal((await store.getMetadata("a"))?.revision, sequence);
      for await (const [key, , { revision }] of store.entries()) assert.isNumber(revision, key);
      assert.equal((await store.pendingWrites()).length, 0);
    },
  },
  {
    title: "1,000 writes at once of a durable store are all acknowledged, and the stream has the last version of each key",
    jetstream: true,
    run: async (environment) => {
      const store = await withStream(environment);
      const results = await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.store(`k${n % 100}`, n)));
      assert.isTrue(results.every(Boolean));
      const keys = Array.from({ length: 100 }, (_, n) => `k${n} store 10`);
      assert.sameMembers(
        (await stored(environment)).map(([, message]) => message),
        keys,
      );
    },
  },
  {
    title: "Without a stream, writes of a durable store wait: false, STREAM_UNAVAILABLE in the event, and published once there is a stream",
    jetstream: true,
    run: async (environment) => {
      const store = environment.openStore({ durable: true });
      const offline = nextEvent(store, "offline");
      assert.isFalse(await store.store("a", 1));
      assert.propertyVal((await offline).error, "code", "STREAM_UNAVAILABLE");
      assert.isFalse(await store.delete("a"));
      assert.equal((await store.pendingWrites()).length, 1);
      assert.isTrue(await store.ping());
      const online = nextEvent(store, "online");
      await createStream(environment);
      await untilPublished(store);
      await online;
      assert.deepEqual(await stored(environment), [[1, "a delete 2"]]);
      assert.isTrue(await store.store("b", 1));
    },
  },
  {
    title: "On a server without JetStream, writes of a durable store wait with STREAM_UNAVAILABLE",
    run: async ({ openStore }) => {
      const store = openStore({ durable: true });
      const offline = nextEvent(store, "offline");
      assert.isFalse(await store.store("a", 1));
      assert.propertyVal((await offline).error, "code", "STREAM_UNAVAILABLE");
      assert.include(await store.getMetadata("a"), { pending: true, rejected: false });
      assert.equal(await store.retrieve("a"), 1);
    },
  },
  {
    title: "A durable write whose acknowledgement is lost is published again, and the stream has it once",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const { openStore, server } = environment;
      const store = openStore({ durable: true, timeoutMs: 1_500, lingerMs: 60_000 });
      assert.isTrue(await store.store("before", 1));
      await server.hang();
      assert.isFalse(await store.store("a", 1));
      await server.restore();
      await untilPublished(store);
      assert.deepEqual(await stored(environment), [[1, "before store 1"], [2, "a store 1"]]); // prettier-ignore
      assert.equal((await store.getMetadata("a"))?.revision, 2);
    },
  },
  {
    title: "A message has the ttl of its entry where the server and the stream have such messages",
    jetstream: true,
    run: async (environment) => {
      const { jetstream } = environment;
      const hasTtl = await hasServer({ jetstream }, 11);
      const store = await withStream(environment, hasTtl ? { allow_msg_ttl: true } : {});
      assert.isTrue(await store.store("brief", 1, { ttl: 1 }));
      assert.isTrue(await store.store("lasting", 1, { ttl: 600 }));
      assert.isTrue(await store.store("forever", 1));
      const ttls = (await jetstream.stored(STREAM)).map(({ headers }) => headers["Nats-TTL"]);
      assert.deepEqual(ttls.slice(-2), [hasTtl ? "600s" : undefined, undefined]);
      if (hasTtl) await until("the stream has dropped the message", async () => (await stored(environment)).length === 2);
    },
  },
  {
    title: "A stream that allows no ttl keeps the messages of entries that expire",
    jetstream: true,
    run: async (environment) => {
      const store = await withStream(environment);
      assert.isTrue(await store.store("a", 1, { ttl: 600 }));
      assert.isTrue(await store.store("b", 1, { ttl: 600 }));
      assert.deepEqual(await stored(environment), [[1, "a store 1"], [2, "b store 1"]]); // prettier-ignore
    },
  },
  {
    title: "A message that the stream refuses for good is rejected, and a full stream makes writes wait",
    jetstream: true,
    run: async (environment) => {
      const store = await withStream(environment, { max_msg_size: 2_000, max_msgs: 1, discard: "new" });
      await assertRejects(store.store("large", "x".repeat(3_000)), "PUBLISH_REJECTED");
      assert.include(await store.getMetadata("large"), { rejected: true });
      assert.isTrue(await store.store("a", 1));
      const offline = nextEvent(store, "offline");
      assert.isFalse(await store.store("b", 1));
      assert.propertyVal((await offline).error, "code", "STREAM_UNAVAILABLE");
      assert.include(await store.getMetadata("b"), { pending: true });
    },
  },
  {
    title: "A write that a store without durable mode has queued is acknowledged when a durable store publishes it",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const { openStore, server } = environment;
      await server.disconnect();
      const plain = openStore({ timeoutMs: 1_500 });
      assert.isFalse(await plain.store("a", 1));
      await plain.close();
      await server.restore();
      const store = openStore({ durable: true });
      await untilPublished(store);
      assert.equal((await store.getMetadata("a"))?.revision, 1);
    },
  },
  {
    title: "delete and bulkDelete of a durable store resolve true once the stream has the delete",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const { openStore, server } = environment;
      const store = openStore({ durable: true, timeoutMs: 1_500 });
      await store.bulkStore({ a: 1, b: 1, c: 1, d: 1 });
      assert.isTrue(await store.delete("a"));
      assert.deepEqual([...(await store.bulkDelete(["b", "absent"]))], [["b", true], ["absent", false]]); // prettier-ignore
      await server.disconnect();
      assert.isFalse(await store.delete("c"));
      assert.deepEqual([...(await store.bulkDelete(["d", "absent"]))], [["d", false], ["absent", false]]); // prettier-ignore
      assert.isEmpty(await store.listKeys());
      await server.restore();
      await untilPublished(store);
      assert.equal((await stored(environment)).filter(([, message]) => message.includes(" delete ")).length, 5);
    },
  },
  {
    title: "clearCache forgets the revisions",
    jetstream: true,
    run: async (environment) => {
      const store = await withStream(environment);
      await store.store("a", 1);
      await store.clearCache();
      assert.isUndefined(await store.getMetadata("a"));
      assert.isTrue(await store.store("a", 2));
      assert.equal((await store.getMetadata("a"))?.revision, 2);
    },
  },
];
