import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { rejection } from "../support/assertions.ts";

/** Streams of JetStream, for stores without durable mode. */
export const streams: readonly ContractCase[] = [
  {
    title: "A stream stores the messages of a store that is not durable",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      await jetstream.createStream({ name: `KV_${namespace}`, subjects: [`_kv.${namespace}.key.>`], max_msgs_per_subject: 1 });
      assert.deepEqual(
        (await jetstream.streams()).map(({ config }) => config.name),
        [`KV_${namespace}`],
      );
      const store = openStore();
      assert.isTrue(await store.store("kept", 1));
      assert.isTrue(await store.store("replaced", 1));
      assert.isTrue(await store.store("replaced", 2));
      assert.isTrue(await store.delete("kept"));
      const last = await jetstream.publish(`_kv.${namespace}.key.rubbish`, "no envelope", { "X-From": "another client" });
      assert.equal(last, 5);
      const stored = await jetstream.stored(`KV_${namespace}`);
      assert.deepEqual(
        stored.map(({ sequence, envelope, text }) => [sequence, envelope?.key ?? text, envelope?.operation]),
        [
          [3, "replaced", "store"],
          [4, "kept", "delete"],
          [5, "no envelope", undefined],
        ],
      );
      assert.deepEqual(stored.at(-1)?.headers, { "X-From": "another client" });
    },
  },
  {
    title: "A store that is not durable confirms its writes when JetStream has no stream",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      assert.deepEqual(await jetstream.streams(), []);
      assert.isTrue(await openStore().store("a", 1));
      assert.match(String(await rejection(jetstream.publish(`_kv.${namespace}.key.a`, ""))), /503/);
      assert.match(await jetstream.serverVersion(), /^2\.\d+\.\d+/);
    },
  },
];
