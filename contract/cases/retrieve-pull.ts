import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { watched } from "../support/changes.ts";
import { hasServer } from "../support/durable.ts";
import { envelopeOf } from "../support/envelopes.ts";
import { createStream, otherBrowser } from "../support/other-browser.ts";
import { until } from "../support/waiting.ts";

const always = { pull: "always" } as const;
const missing = { pull: "missing" } as const;

/** A client without credentials may do everything: the one that looks at the stream is one of them. */
const DENIES_SINGLE_REQUESTS = `
  no_auth_user: anyone
  authorization {
    users: [
      { user: anyone, password: "" }
      { user: limited, password: right, permissions: { publish: { deny: ["$JS.API.STREAM.MSG.GET.>"] } } }
    ]
  }`;

const DURABLE = { durable: true } as const;

/** `retrieve` and `bulkRetrieve` with `pull`: they ask the stream. */
export const retrievePull: readonly ContractCase[] = [
  {
    title: "retrieve with pull `always` returns what another browser has written last, and stores it here",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = environment.openStore(DURABLE);
      const changes = watched(store);
      assert.isUndefined(await store.retrieve("k", always));
      await other.store("k", { from: "afar" });
      assert.isUndefined(await store.retrieve("k"));
      assert.deepEqual(await store.retrieve("k", always), { from: "afar" });
      const revision = await other.store("k", "again", { version: 2 });
      assert.deepEqual(await store.retrieve("k"), { from: "afar" });
      assert.equal(await store.retrieve("k", always), "again");
      assert.equal(await store.retrieve("k", { ...always, useCache: false }), "again");
      assert.equal(await store.retrieve("k"), "again");
      assert.deepInclude(await store.getMetadata("k"), { version: 2, revision, pending: false });
      assert.deepEqual(changes, ["remote store k 1", "remote store k 2"]);
    },
  },
  {
    title: "retrieve with pull `missing` asks the stream only for a key that is absent here",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const store = environment.openStore(DURABLE);
      await store.store("here", 1);
      await other.store("here", 2, { version: 2 });
      await other.store("afar", 3);
      assert.equal(await store.retrieve("here", missing), 1);
      assert.equal(await store.retrieve("here", { ...missing, useCache: false }), 1);
      assert.equal(await store.retrieve("afar", missing), 3);
      assert.isUndefined(await store.retrieve("nowhere", missing));
      assert.isUndefined(await store.retrieve("afar2", { pull: "never" }));
    },
  },
  {
    title: "retrieve with pull removes an entry that another browser has deleted",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore(DURABLE);
      const changes = watched(store);
      await store.store("k", 1);
      await otherBrowser(environment).delete("k");
      assert.equal(await store.retrieve("k", missing), 1);
      assert.isUndefined(await store.retrieve("k", always));
      assert.isFalse(await store.exists("k"));
      assert.isUndefined(await store.retrieve("k", missing));
      assert.deepEqual(changes, ["local store k 1", "remote delete k 2"]);
    },
  },
  {
    title: "A write that waits for the stream is read by retrieve with pull, and is not overwritten",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      await other.store("k", "theirs", { version: 7 });
      await other.store("deleted", "theirs", { version: 7 });
      const store = environment.openStore(DURABLE);
      // From here on only this store writes: whenever it tries again, its writes are the last ones of the stream.
      await environment.server.disconnect();
      assert.isFalse(await store.store("k", "mine"));
      assert.isFalse(await store.store("deleted", 1));
      assert.isFalse(await store.delete("deleted"));
      await environment.server.restore();
      assert.equal(await store.retrieve("k", always), "mine");
      assert.isUndefined(await store.retrieve("deleted", missing));
      await until("the writes are published", async () => (await store.flush()).pending === 0);
      assert.equal(await store.retrieve("k", always), "mine");
      assert.isUndefined(await store.retrieve("deleted", always));
    },
  },
  {
    title: "retrieve with pull brings an entry back that was removed here by clearCache",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore(DURABLE);
      await store.store("k", 1);
      await store.clearCache();
      assert.equal(await store.retrieve("k", missing), 1);
    },
  },
  {
    title: "retrieve with pull brings an own entry back that was evicted here",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const store = environment.openStore({ ...DURABLE, maxEntries: 1 });
      assert.isTrue(await store.store("a", 1));
      assert.isTrue(await store.store("b", 2));
      await until("one entry is evicted", async () => (await store.listKeys()).length === 1);
      assert.deepEqual([await store.retrieve("a", missing), await store.retrieve("b", missing)], [1, 2]);
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull read this browser when there is no stream",
    jetstream: true,
    run: async ({ openStore }) => {
      const store = openStore(DURABLE);
      await store.store("k", 1);
      assert.equal(await store.retrieve("k", always), 1);
      assert.isUndefined(await store.retrieve("absent", missing));
      assert.deepEqual([...(await store.bulkRetrieve(["absent", "k"], always))], [["k", 1]]);
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull read this browser when the server has no JetStream",
    run: async ({ openStore }) => {
      const store = openStore({ ...DURABLE, timeoutMs: 300 });
      await store.store("k", 1);
      assert.equal(await store.retrieve("k", always), 1);
      assert.isUndefined(await store.retrieve("absent", missing));
      assert.deepEqual([...(await store.bulkRetrieve(["absent", "k"], always))], [["k", 1]]);
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull read this browser when no server answers",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      const { openStore, server } = environment;
      await createStream(environment);
      const store = openStore({ ...DURABLE, timeoutMs: 500 });
      await store.store("k", 1);
      for (const breakDown of [server.disconnect, server.hang]) {
        await breakDown();
        assert.equal(await store.retrieve("k", always), 1);
        assert.isUndefined(await store.retrieve("absent", missing));
        assert.deepEqual([...(await store.bulkRetrieve(["absent", "k"], missing))], [["k", 1]]);
        await server.restore();
      }
    },
  },
  {
    title: "retrieve with pull finds a stream of another name that has the subjects",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment, { name: `other-${environment.namespace}` });
      await otherBrowser(environment).store("k", 1);
      const store = environment.openStore(DURABLE);
      assert.equal(await store.retrieve("k", always), 1);
      assert.deepEqual([...(await store.bulkRetrieve(["k"], always))], [["k", 1]]);
    },
  },
  {
    title: "retrieve with pull skips a message that is damaged, malformed, or of another key",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const { jetstream, namespace } = environment;
      const store = environment.openStore(DURABLE);
      await store.store("k", 1);
      const bad = [
        "no envelope",
        JSON.stringify(envelopeOf("other", "2", { version: 2 })),
        JSON.stringify(envelopeOf("k", "2", { version: 2, checksum: "0".repeat(64) })),
        JSON.stringify(envelopeOf("k", "2", { version: 2, format: "pickle" })),
      ];
      for (const text of bad) {
        await jetstream.publish(`_kv.${namespace}.key.k`, text);
        assert.equal(await store.retrieve("k", always), 1);
        assert.deepEqual([...(await store.bulkRetrieve(["k", "other"], always))], [["k", 1]]);
      }
    },
  },
  {
    title: "A message whose headers name another subject or revision is still the message of its own subject",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const { jetstream, namespace } = environment;
      const store = environment.openStore(DURABLE);
      await store.store("victim", 1);
      await store.store("other", 1);
      const forged = { "Nats-Subject": `_kv.${namespace}.key.victim`, "Nats-Sequence": "1000000", "Nats-Stream": "other" };
      await jetstream.publish(`_kv.${namespace}.key.mine`, JSON.stringify(envelopeOf("victim", '"forged"', { version: 9 })), forged);
      const revision = await jetstream.publish(
        `_kv.${namespace}.key.other`,
        JSON.stringify(envelopeOf("other", "2", { version: 2 })),
        forged,
      );
      const found = await store.bulkRetrieve(["mine", "victim", "other"], always);
      assert.deepEqual(Object.fromEntries(found), { victim: 1, other: 2 });
      assert.equal((await store.getMetadata("other"))?.revision, revision);
    },
  },
  {
    title: "bulkRetrieve with pull returns the values of more than a thousand keys, in the order of the keys",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const keys = Array.from({ length: 1_300 }, (_, n) => `k${n}`);
      await Promise.all(keys.filter((_, n) => n % 2 === 0).map((key) => other.store(key, key)));
      const store = environment.openStore({ ...DURABLE, timeoutMs: 30_000 });
      assert.isTrue(await store.store("k0", "own"));
      const own = [...keys, "k1"];
      const found = await store.bulkRetrieve(own, missing);
      const expected = keys.filter((_, n) => n % 2 === 0).map((key): [string, unknown] => [key, key === "k0" ? "own" : key]);
      assert.deepEqual([...found], expected);
      await other.store("k0", "theirs", { version: 3 });
      await other.store("k1", "new");
      const again = await store.bulkRetrieve(own, always);
      assert.equal(again.size, expected.length + 1);
      assert.deepEqual([again.get("k0"), again.get("k1"), again.get("k2")], ["theirs", "new", "k2"]);
    },
  },
  {
    title: "bulkRetrieve with pull makes one request for many keys where the server can",
    jetstream: true,
    serverConfig: DENIES_SINGLE_REQUESTS,
    run: async (environment) => {
      await createStream(environment);
      const { openStore } = environment;
      const other = otherBrowser(environment);
      const large = "x".repeat(900_000);
      for (const key of ["a", "b", "c", "d", "e", "f"]) await other.store(key, key + large);
      const store = openStore({ ...DURABLE, connection: { user: "limited", pass: "right" }, timeoutMs: 30_000 });
      const keys = ["a", "absent", "b", "c", "d", "e", "f"];
      const isOne = await hasServer(environment, 11);
      assert.deepEqual([...(await store.bulkRetrieve(keys, missing)).keys()], isOne ? keys.filter((key) => key !== "absent") : []);
      assert.isUndefined(await store.retrieve("absent", always));
    },
  },
  {
    title: "bulkRetrieve with pull asks for large values in parts",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const other = otherBrowser(environment);
      const keys = Array.from({ length: 12 }, (_, n) => `k${n}`);
      const large = "x".repeat(900_000);
      for (const key of keys) await other.store(key, key + large);
      const store = environment.openStore({ ...DURABLE, timeoutMs: 30_000 });
      const found = await store.bulkRetrieve(keys, always);
      assert.deepEqual(
        Array.from(found, ([key, value]) => [key, String(value).length]),
        keys.map((key) => [key, key.length + large.length]),
      );
    },
  },
  {
    title: "bulkRetrieve with pull asks for each key where the stream does not allow direct gets",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment, { allow_direct: false });
      const other = otherBrowser(environment);
      await other.store("a", 1);
      await other.store("b", 2);
      const store = environment.openStore(DURABLE);
      assert.deepEqual(Object.fromEntries(await store.bulkRetrieve(["a", "b", "c"], always)), { a: 1, b: 2 });
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull understand the messages of the Python original",
    jetstream: true,
    run: async (environment) => {
      await createStream(environment);
      const { jetstream, namespace } = environment;
      const store = environment.openStore(DURABLE);
      await store.store("gone", 1);
      const metadata = { checksum: "0".repeat(32), updated_at: "2026-01-02T03:04:05.678901", created_at: "2026-01-02T03:04:05.678901" };
      await jetstream.publish(`_kv.${namespace}.key.k`, JSON.stringify(envelopeOf("k", "1", metadata)));
      const deleted = { operation: "delete", key: "gone", timestamp: "2026-01-02T03:04:05.678901" };
      await jetstream.publish(`_kv.${namespace}.key.gone`, JSON.stringify(deleted));
      assert.equal(await store.retrieve("k", missing), 1);
      assert.isUndefined(await store.retrieve("gone", always));
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull reject with the reason of an aborted signal, also while they wait for the server",
    jetstream: true,
    outage: true,
    run: async (environment) => {
      const { openStore, server } = environment;
      await createStream(environment);
      const store = openStore({ ...DURABLE, timeoutMs: 30_000 });
      await store.store("k", 1);
      await server.hang();
      const reason = new Error("enough");
      for (const call of [
        (signal: AbortSignal) => store.retrieve("k", { ...always, signal }),
        (signal: AbortSignal) => store.bulkRetrieve(["k"], { ...always, signal }),
      ]) {
        assert.equal(await rejection(call(AbortSignal.abort(reason))), reason);
        const controller = new AbortController();
        const called = rejection(call(controller.signal));
        controller.abort(reason);
        assert.equal(await called, reason);
      }
      assert.equal(await store.retrieve("k"), 1);
      await server.restore();
    },
  },
  {
    title: "retrieve and bulkRetrieve with pull reject INVALID_OPTION without durable mode, unless it is `never`",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      for (const options of [always, missing]) {
        const { option, key } = await assertRejects(store.retrieve("k", options), "INVALID_OPTION");
        assert.deepEqual({ option, key }, { option: "pull", key: "k" });
        assert.equal((await assertRejects(store.bulkRetrieve(["k"], options), "INVALID_OPTION")).option, "pull");
      }
      assert.equal(await store.retrieve("k", { pull: "never" }), 1);
      await assertRejects(store.retrieve("k", { pull: "sometimes" as "never" }), "INVALID_OPTION");
    },
  },
];
