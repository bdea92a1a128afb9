import { assert } from "chai";
import type { ContractCase, Environment } from "../environment.ts";
import { until } from "../support/waiting.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { envelopeOfAnother, openDurable } from "../support/durable.ts";

/** Writes with `ifRevision`, which compare and set on the stream. Another client writes what another browser would. */
export const ifRevision: readonly ContractCase[] = [
  onStream("A store with ifRevision resolves true, and its revision is the stream sequence of its message", async (environment) => {
    const { store, stored } = await openDurable(environment);
    assert.isTrue(await store.store("a", 1, { ifRevision: 0 }));
    assert.isTrue(await store.store("a", 2, { ifRevision: 1, tags: ["t"] }));
    assert.deepInclude(await store.getMetadata("a"), { revision: 2, version: 2, pending: false, tags: ["t"] });
    assert.equal(await store.retrieve("a"), 2);
    assert.equal(await store.retrieve("a", { useCache: false }), 2);
    const [message] = await stored();
    assert.deepInclude(message?.envelope, { operation: "store", key: "a", value: "2" });
    assert.equal(message?.headers["Nas-Base"], "1");
    assert.deepEqual((await environment.jetstream.streams())[0]?.state.last_seq, 2);
  }),
  onStream("A store whose ifRevision another client has overtaken rejects VERSION_CONFLICT, and changes nothing", async (environment) => {
    const { store, publish, stored } = await openDurable(environment);
    await store.store("a", "mine", { ifRevision: 0 });
    assert.equal(await publish("a", envelopeOfAnother("a", "theirs", 2)), 2);
    const error = await assertRejects(store.store("a", "lost", { ifRevision: 1 }), "VERSION_CONFLICT");
    assert.equal(error.key, "a");
    assert.match(error.message, /the stream has revision 2/);
    assert.equal(await store.retrieve("a"), "mine");
    assert.deepInclude(await store.getMetadata("a"), { revision: 1, version: 1 });
    assert.isEmpty(await store.pendingWrites());
    assert.lengthOf(await stored(), 1);
    assert.isTrue(await store.store("a", "won", { ifRevision: 2 }));
    assert.deepInclude(await store.getMetadata("a"), { revision: 3, version: 2 });
  }),
  onStream("A store with ifRevision 0 rejects VERSION_CONFLICT when the stream has a message of the key", async (environment) => {
    const { store, publish } = await openDurable(environment);
    await publish("a", envelopeOfAnother("a", "theirs", 1));
    await assertRejects(store.store("a", "lost", { ifRevision: 0 }), "VERSION_CONFLICT");
    assert.isFalse(await store.exists("a"));
    assert.isUndefined(await store.getMetadata("a"));
  }),
  onStream("A store with a revision rejects VERSION_CONFLICT when the stream has no message of the key", async (environment) => {
    const { store } = await openDurable(environment);
    assert.match((await assertRejects(store.store("a", 1, { ifRevision: 7 }), "VERSION_CONFLICT")).message, /no message of the key/);
    assert.isFalse(await store.exists("a"));
  }),
  onStream("Of 20 stores with the same ifRevision, one resolves and the others reject VERSION_CONFLICT", async (environment) => {
    const { store } = await openDurable(environment);
    const tab = await environment.openTab({ durable: true, namespace: environment.namespace });
    const calls = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? store : tab).store("a", index, { ifRevision: 0 }));
    const outcomes = await Promise.allSettled(calls);
    assert.lengthOf(
      outcomes.filter(({ status }) => status === "fulfilled"),
      1,
    );
    const won = outcomes.findIndex(({ status }) => status === "fulfilled");
    const losers = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.isTrue(losers.every(({ reason }) => (reason as { code?: string }).code === "VERSION_CONFLICT"));
    assert.equal(await store.retrieve("a", { useCache: false }), won);
  }),
  onStream("A delete with ifRevision removes the entry, and its message is the last of the key", async (environment) => {
    const { store, publish, stored } = await openDurable(environment);
    await store.store("a", 1, { ifRevision: 0 });
    await assertRejects(store.delete("a", { ifRevision: 9 }), "VERSION_CONFLICT");
    assert.isTrue(await store.exists("a"));
    assert.isTrue(await store.delete("a", { ifRevision: 1 }));
    assert.isFalse(await store.exists("a"));
    assert.deepInclude((await stored()).at(-1)?.envelope, { operation: "delete", key: "a" });
    await publish("absent", envelopeOfAnother("absent", 1, 1));
    assert.isFalse(await store.delete("absent", { ifRevision: 3 }));
    assert.isTrue(await store.store("a", 2, { ifRevision: 2 }));
    assert.isAbove((await store.getMetadata("a"))?.version ?? 0, 2);
  }),
  onStream("An update with ifRevision keeps the ttl and tags of the entry, and its function runs once", async (environment) => {
    const { store, publish } = await openDurable(environment);
    await store.store("a", 1, { ifRevision: 0, ttl: 600, tags: ["t"] });
    assert.isTrue(await store.update("a", 2, { ifRevision: 1 }));
    assert.deepInclude(await store.getMetadata("a"), { revision: 2, ttl: 600, tags: ["t"] });
    let runs = 0;
    const increment = async (present: unknown): Promise<number> => {
      runs++;
      return (present as number) + 1;
    };
    assert.isTrue(await store.update("a", increment, { ifRevision: 2 }));
    assert.deepEqual([await store.retrieve("a"), runs], [3, 1]);
    await publish("a", envelopeOfAnother("a", 100, 9));
    await assertRejects(store.update("a", increment, { ifRevision: 3 }), "VERSION_CONFLICT");
    assert.equal(runs, 2);
    // The stream has this revision. The value would be made of another one.
    const stale = await assertRejects(store.update("a", increment, { ifRevision: 4 }), "VERSION_CONFLICT");
    assert.match(stale.message, /this browser has revision 3/);
    assert.equal(await store.retrieve("a"), 3);
  }),
  onStream("ifVersion beside ifRevision is compared first, in this browser", async (environment) => {
    const { store, stored } = await openDurable(environment);
    await store.store("a", 1, { ifRevision: 0 });
    const error = await assertRejects(store.store("a", 2, { ifRevision: 1, ifVersion: 7 }), "VERSION_CONFLICT");
    assert.match(error.message, /version/);
    assert.deepEqual((await stored()).length, 1);
    assert.isTrue(await store.store("a", 2, { ifRevision: 1, ifVersion: 1 }));
  }),
  onStream("ifRevision waits for writes of the key that were called before", async (environment) => {
    const { store } = await openDurable(environment);
    const before = store.store("a", 1);
    assert.isTrue(await store.store("a", 2, { ifRevision: 1 }));
    assert.isTrue(await before);
    const [after, read] = [store.store("a", 3, { ifRevision: 2 }), store.retrieve("a")];
    assert.equal(await read, 3);
    assert.isTrue(await after);
  }),
  onStream("A bulkStore whose items have ifRevision keeps those that win, and its error has their results", async (environment) => {
    const { store, publish } = await openDurable(environment);
    await publish("b", envelopeOfAnother("b", "theirs", 1));
    const items = [
      ["a", 1, { ifRevision: 0 }],
      ["b", 2, { ifRevision: 0 }],
      ["c", 3],
      ["d", 4, { ifRevision: 0 }],
    ] as const;
    const error = await assertRejects(store.bulkStore(items), "VERSION_CONFLICT");
    assert.equal(error.key, "b");
    assert.deepEqual(
      error.results,
      new Map([
        ["a", true],
        ["c", true],
        ["d", true],
      ]),
    );
    assert.deepEqual([...(await store.bulkRetrieve(["a", "b", "c", "d"])).keys()], ["a", "c", "d"]);
    const results = await store.bulkStore({ x: 1, y: 2 }, { ifRevision: 0 });
    assert.deepEqual(
      results,
      new Map([
        ["x", true],
        ["y", true],
      ]),
    );
  }),
  onStream("retrieveOrStore with ifRevision stores what it loads, or rejects VERSION_CONFLICT", async (environment) => {
    const { store, publish } = await openDurable(environment);
    assert.equal(await store.retrieveOrStore("a", () => "loaded", { ifRevision: 0 }), "loaded");
    assert.equal((await store.getMetadata("a"))?.revision, 1);
    await publish("b", envelopeOfAnother("b", "theirs", 1));
    await assertRejects(
      store.retrieveOrStore("b", () => "loaded", { ifRevision: 0 }),
      "VERSION_CONFLICT",
    );
    assert.isFalse(await store.exists("b"));
  }),
  {
    title: "Without a stream, a write with ifRevision rejects STREAM_UNAVAILABLE, and nothing is queued",
    jetstream: true,
    run: async ({ openStore }) => {
      const store = openStore({ durable: true });
      const error = await assertRejects(store.store("a", 1, { ifRevision: 0 }), "STREAM_UNAVAILABLE");
      assert.equal(error.key, "a");
      await assertRejects(store.delete("a", { ifRevision: 0 }), "STREAM_UNAVAILABLE");
      assert.isFalse(await store.exists("a"));
      assert.isEmpty(await store.pendingWrites());
    },
  },
  onStream(
    "During an outage, a write with ifRevision rejects STREAM_UNAVAILABLE; an unconfirmed write of the key is published first",
    async (environment) => {
      const { store } = await openDurable(environment);
      await store.store("a", 1, { ifRevision: 0 });
      await environment.server.disconnect();
      await assertRejects(store.store("a", 2, { ifRevision: 1 }), "STREAM_UNAVAILABLE");
      assert.equal(await store.retrieve("a"), 1);
      assert.isEmpty(await store.pendingWrites());
      assert.isFalse(await store.store("a", "queued"));
      await assertRejects(store.store("a", 3, { ifRevision: 1 }), "STREAM_UNAVAILABLE");
      assert.equal(await store.retrieve("a"), "queued");
      await environment.server.restore();
      // Firefox waits before it connects again to a host that has refused.
      await until("the server answers", () => store.ping());
      assert.isTrue(await store.store("a", 4, { ifRevision: 2 }));
      assert.deepInclude(await store.getMetadata("a"), { revision: 3, pending: false });
    },
    { outage: true },
  ),
  onStream("A write with ifRevision of a value that cannot be stored changes nothing", async (environment) => {
    const { store } = await openDurable(environment);
    await assertRejects(
      store.store("a", () => 1, { ifRevision: 0 }),
      "INVALID_VALUE",
    );
    await assertRejects(store.store("a", 1, { ifRevision: -1 }), "INVALID_OPTION");
    await assertRejects(store.store("a", "x".repeat(2_000_000), { ifRevision: 0 }), "PAYLOAD_TOO_LARGE");
    assert.equal((await environment.jetstream.streams())[0]?.state.messages, 0);
  }),
  onStream(
    "A write with ifRevision whose signal is aborted rejects with the reason, and later writes of the key go on",
    async (environment) => {
      const { store } = await openDurable(environment);
      const reason = new Error("enough");
      assert.equal(await rejection(store.store("a", 1, { ifRevision: 0, signal: AbortSignal.abort(reason) })), reason as never);
      assert.isFalse(await store.exists("a"));
      const controller = new AbortController();
      const aborted = rejection(store.store("a", 1, { ifRevision: 0, signal: controller.signal }));
      controller.abort(reason);
      assert.equal(await aborted, reason as never);
      assert.isTrue(await store.store("a", 2));
      assert.equal(await store.retrieve("a"), 2);
    },
  ),
  {
    title: "ifRevision is INVALID_OPTION for a store that is not durable",
    run: async ({ openStore }) => {
      const error = await assertRejects(openStore().store("a", 1, { ifRevision: 0 }), "INVALID_OPTION");
      assert.equal(error.option, "ifRevision");
    },
  },
];

function onStream(title: string, run: (environment: Environment) => Promise<void>, facts: Partial<ContractCase> = {}): ContractCase {
  return { title, jetstream: true, run, ...facts };
}
