import { assert } from "chai";
import type { BulkItem, NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { envelopeOfAnother, hasServer, openDurable, type DurableStore } from "../support/durable.ts";

const BATCHES = { allow_atomic: true, allow_msg_ttl: true };

/** Atomic calls in durable mode: one batch of the stream where the server can, and STREAM_UNAVAILABLE elsewhere. */
export const streamAtomic: readonly ContractCase[] = [
  onNewServers("An atomic bulkStore of a durable store is one batch, with consecutive revisions", async (durable, { jetstream }) => {
    const { store, stored } = durable;
    await store.store("b", "before");
    const results = await store.bulkStore({ a: 1, b: 2, c: 3 }, { atomic: true });
    assert.deepEqual(
      [...results],
      [
        ["a", true],
        ["b", true],
        ["c", true],
      ],
    );
    const metadata = await Promise.all(["a", "b", "c"].map((key) => store.getMetadata(key)));
    assert.deepEqual(
      metadata.map((entry) => [entry?.revision, entry?.version]),
      [
        [2, 1],
        [3, 2],
        [4, 1],
      ],
    );
    assert.deepEqual([...(await store.bulkRetrieve(["a", "b", "c"], { useCache: false })).values()], [1, 2, 3]);
    const messages = await stored();
    assert.deepEqual(
      messages.map(({ sequence, envelope }) => [sequence, envelope?.key]),
      [
        [2, "a"],
        [3, "b"],
        [4, "c"],
      ],
    );
    assert.isUndefined(messages[0]?.headers["Nats-Msg-Id"]);
    assert.equal((await jetstream.streams())[0]?.state.messages, 3);
    assert.isEmpty(await store.pendingWrites());
  }),
  onNewServers("An atomic bulkStore of one item, and one of 1,000 items, are batches", async ({ store, stored }) => {
    assert.deepEqual([...(await store.bulkStore({ a: 1 }, { atomic: true }))], [["a", true]]);
    const items = Array.from({ length: 1_000 }, (_, index): BulkItem => [`k${index}`, index]);
    const results = await store.bulkStore(items, { atomic: true });
    assert.lengthOf([...results.values()].filter(Boolean), 1_000);
    assert.equal((await store.getMetadata("k999"))?.revision, 1_001);
    assert.lengthOf(await stored(), 1_001);
    const error = await assertRejects(store.bulkStore([...items, ["more", 1]], { atomic: true }), "PAYLOAD_TOO_LARGE");
    assert.match(error.message, /1001 items/);
    assert.isFalse(await store.exists("more"));
  }),
  onNewServers("An atomic bulkStore changes nothing when one of its items has lost the race", async ({ store, publish, stored }) => {
    await store.bulkStore({ a: 1, b: 1, c: 1 }, { atomic: true });
    await publish("b", envelopeOfAnother("b", "theirs", 2));
    const transfer: BulkItem[] = [
      ["a", 2, { ifRevision: 1 }],
      ["b", 2, { ifRevision: 2 }],
      ["c", 2, { ifRevision: 3 }],
      ["d", 2],
    ];
    const error = await assertRejects(store.bulkStore(transfer, { atomic: true }), "VERSION_CONFLICT");
    assert.equal(error.key, "b");
    assert.isUndefined(error.results);
    assert.deepEqual([...(await store.bulkRetrieve(["a", "b", "c", "d"], { useCache: false })).values()], [1, 1, 1]);
    assert.deepEqual(
      (await stored()).map(({ sequence }) => sequence),
      [1, 3, 4],
    );
    transfer[1] = ["b", 2, { ifRevision: 4 }];
    await store.bulkStore(transfer, { atomic: true });
    assert.deepEqual([...(await store.bulkRetrieve(["a", "b", "c", "d"])).values()], [2, 2, 2, 2]);
    assert.equal((await store.getMetadata("d"))?.revision, 8);
  }),
  onNewServers("An atomic bulkStore compares ifVersion in this browser, before anything is published", async ({ store, stored }) => {
    await store.store("a", 1);
    const items: BulkItem[] = [
      ["b", 1],
      ["a", 2, { ifVersion: 7 }],
    ];
    assert.equal((await assertRejects(store.bulkStore(items, { atomic: true }), "VERSION_CONFLICT")).key, "a");
    assert.lengthOf(await stored(), 1);
    assert.isFalse(await store.exists("b"));
  }),
  onNewServers("An atomic bulkStore has messages with a TTL", async ({ store, stored }) => {
    await store.bulkStore(
      [
        ["a", 1, { ttl: 600 }],
        ["b", 1],
      ],
      { atomic: true },
    );
    const [a, b] = await stored();
    assert.match(a?.headers["Nats-TTL"] ?? "", /^600s$|^599s$/);
    assert.isUndefined(b?.headers["Nats-TTL"]);
  }),
  {
    title:
      "An atomic bulkStore of a durable store rejects STREAM_UNAVAILABLE where the server or the stream has no batches, and says which",
    jetstream: true,
    run: async (environment) => {
      const { store } = await openDurable(environment);
      const error = await assertRejects(store.bulkStore({ a: 1, b: 2 }, { atomic: true }), "STREAM_UNAVAILABLE");
      assert.match(
        error.message,
        (await hasServer(environment, 12)) ? /allow_atomic/ : /nats-server 2\.12 or newer; this one is 2\.\d+\.\d+/,
      );
      assert.isUndefined(error.results);
      assert.equal((await environment.jetstream.streams())[0]?.state.messages, 0);
      assert.isFalse(await store.exists("a"));
      assert.isEmpty(await store.pendingWrites());
    },
  },
  {
    title: "An atomic bulkStore of a durable store rejects STREAM_UNAVAILABLE without a stream, and during an outage",
    jetstream: true,
    outage: true,
    run: async ({ openStore, server }) => {
      const store: NASKeyStore = openStore({ durable: true, timeoutMs: 500 });
      await assertRejects(store.bulkStore({ a: 1 }, { atomic: true }), "STREAM_UNAVAILABLE");
      await server.disconnect();
      await assertRejects(store.bulkStore({ a: 1 }, { atomic: true }), "STREAM_UNAVAILABLE");
      assert.isEmpty(await store.pendingWrites());
      assert.isFalse(await store.exists("a"));
    },
  },
];

/** Atomic publishing exists since nats-server 2.12. On an older one the case proves nothing. */
function onNewServers(title: string, run: (durable: DurableStore, environment: Environment) => Promise<void>): ContractCase {
  return {
    title,
    jetstream: true,
    run: async (environment) => {
      if (await hasServer(environment, 12)) await run(await openDurable(environment, {}, BATCHES), environment);
    },
  };
}
