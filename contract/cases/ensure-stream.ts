import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { nextEvent } from "../support/events.ts";

const LIMITED = { user: "limited", pass: "right" };
/** A client without credentials may do everything: the one that looks at the streams is one of them. */
const users = (denied: string): string => `
  no_auth_user: anyone
  authorization {
    users: [
      { user: anyone, password: "" }
      { user: limited, password: right, permissions: { publish: { deny: ["${denied}"] } } }
    ]
  }`;

const subjectsOf = (namespace: string): string[] => [`_kv.${namespace}.key.>`];
const isAtLeast = (version: string, minor: number): boolean => Number(version.split(".")[1]) >= minor;

/** `ensureStream`, on servers with JetStream and without. */
export const ensureStream: readonly ContractCase[] = [
  {
    title: "ensureStream creates the stream of the namespace, with what the server offers, and finds it the next time",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      const store = openStore({ durable: true });
      const stream = `NAS_${namespace}`;
      assert.deepEqual(await store.ensureStream(), { stream, created: true });
      assert.deepEqual(await store.ensureStream(), { stream, created: false });
      const [found, ...others] = await jetstream.streams();
      assert.isEmpty(others);
      const version = await jetstream.serverVersion();
      const expected = {
        name: stream,
        subjects: subjectsOf(namespace),
        max_msgs_per_subject: 1,
        discard: "old",
        storage: "file",
        num_replicas: 1,
        allow_direct: true,
        ...(isAtLeast(version, 11) && { allow_msg_ttl: true, subject_delete_marker_ttl: 10 * 365 * 86_400e9 }),
        ...(isAtLeast(version, 12) && { allow_atomic: true }),
      };
      assert.deepInclude(found?.config, expected);
    },
  },
  {
    title: "ensureStream names and fills the stream as the option `durable` says",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      const store = openStore({ durable: { stream: `own-${namespace}`, history: 5 } });
      assert.deepEqual(await store.ensureStream(), { stream: `own-${namespace}`, created: true });
      assert.deepInclude((await jetstream.streams())[0]?.config, { name: `own-${namespace}`, max_msgs_per_subject: 5 });
    },
  },
  {
    title: "ensureStream replaces the characters that a stream must not have in its name",
    jetstream: true,
    run: async ({ openStore, namespace }) => {
      const store = openStore({ namespace: `${namespace}.a/b`, durable: true });
      assert.deepEqual(await store.ensureStream(), { stream: `NAS_${namespace}%2Ea%2Fb`, created: true });
    },
  },
  {
    title: "ensureStream does not change a stream that is present, and finds one of another name that has the subjects",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      await jetstream.createStream({ name: `other-${namespace}`, subjects: [`_kv.${namespace}.>`], max_msgs_per_subject: 7 });
      const before = await jetstream.streams();
      const store = openStore({ durable: { history: 2 } });
      assert.deepEqual(await store.ensureStream(), { stream: `other-${namespace}`, created: false });
      assert.deepEqual(await jetstream.streams(), before);
    },
  },
  {
    title: "When stores call ensureStream at the same time, one of them has created the stream",
    jetstream: true,
    run: async ({ openStore, openTab, jetstream }) => {
      const stores = [openStore({ durable: true }), openStore({ durable: { history: 2 } }), await openTab({ durable: true })];
      const ensured = await Promise.all(stores.map((store) => store.ensureStream()));
      assert.equal(ensured.filter(({ created }) => created).length, 1);
      assert.lengthOf(await jetstream.streams(), 1);
    },
  },
  {
    title: "Writes wait while there is no stream, and ensureStream publishes them",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      const store = openStore({ durable: true });
      assert.isFalse(await store.store("a", 1));
      assert.isFalse(await store.store("b", 2));
      const published = [nextEvent(store, "published", ({ key }) => key === "a"), nextEvent(store, "published", ({ key }) => key === "b")];
      const { stream } = await store.ensureStream();
      await Promise.all(published);
      assert.deepEqual(
        (await jetstream.stored(stream)).map(({ subject }) => subject),
        [`_kv.${namespace}.key.a`, `_kv.${namespace}.key.b`],
      );
      assert.isTrue(await store.store("c", 3));
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when the stream of this name has other subjects, and the error lists them",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      await jetstream.createStream({ name: `NAS_${namespace}`, subjects: [`_kv.${namespace}.key.a`] });
      const { message } = await assertRejects(openStore({ durable: true }).ensureStream(), "STREAM_UNAVAILABLE");
      assert.include(
        message,
        `The stream "NAS_${namespace}" has the subjects "_kv.${namespace}.key.a", not all of "_kv.${namespace}.key.>".`,
      );
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when another stream has some of the subjects, and names it",
    jetstream: true,
    run: async ({ openStore, jetstream, namespace }) => {
      await jetstream.createStream({ name: `other-${namespace}`, subjects: [`_kv.${namespace}.key.a`] });
      for (const durable of [true, { stream: `own-${namespace}` }]) {
        const { message } = await assertRejects(openStore({ durable }).ensureStream(), "STREAM_UNAVAILABLE");
        assert.include(message, `The stream "other-${namespace}" has`);
        assert.include(message, "durable.stream");
      }
      assert.lengthOf(await jetstream.streams(), 1);
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when the server cannot make that many replicas",
    jetstream: true,
    run: async ({ openStore }) => {
      const { message } = await assertRejects(openStore({ durable: { replicas: 3 } }).ensureStream(), "STREAM_UNAVAILABLE");
      assert.match(message, /replicas > 1 not supported.*Check the limits of the account and "durable.replicas"/);
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when the client may not create streams, with the command for an administrator",
    jetstream: true,
    serverConfig: users("$JS.API.STREAM.CREATE.>"),
    run: async ({ openStore, jetstream, namespace }) => {
      const limited = openStore({ durable: true, connection: LIMITED });
      const { message } = await assertRejects(limited.ensureStream(), "STREAM_UNAVAILABLE");
      assert.include(message, `nats stream add 'NAS_${namespace}' --subjects='_kv.${namespace}.key.>'`);
      await jetstream.createStream({ name: `NAS_${namespace}`, subjects: subjectsOf(namespace) });
      assert.deepEqual(await limited.ensureStream(), { stream: `NAS_${namespace}`, created: false });
    },
  },
  {
    title: "ensureStream creates the stream for a client that may not list streams",
    jetstream: true,
    serverConfig: users("$JS.API.STREAM.NAMES"),
    run: async ({ openStore, namespace }) => {
      const store = openStore({ durable: true, connection: LIMITED });
      assert.deepEqual(await store.ensureStream(), { stream: `NAS_${namespace}`, created: true });
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when the server has no JetStream",
    run: async ({ openStore }) => {
      const { message } = await assertRejects(openStore({ durable: true }).ensureStream(), "STREAM_UNAVAILABLE");
      assert.match(message, /^JetStream does not answer .* Start nats-server with JetStream \(-js\)/);
    },
  },
  {
    title: "ensureStream rejects STREAM_UNAVAILABLE when no server answers, and succeeds when it is back",
    jetstream: true,
    outage: true,
    failsSockets: true,
    run: async ({ openStore, server, namespace }) => {
      const store = openStore({ durable: true, timeoutMs: 500 });
      await server.disconnect();
      const { message } = await assertRejects(store.ensureStream(), "STREAM_UNAVAILABLE");
      assert.match(message, /^No server can be reached .* Check the option "servers"/);
      await server.restore();
      await server.hang();
      await assertRejects(store.ensureStream(), "STREAM_UNAVAILABLE");
      await server.restore();
      const patient = openStore({ durable: true, timeoutMs: 30_000 });
      assert.deepEqual(await patient.ensureStream(), { stream: `NAS_${namespace}`, created: true });
    },
  },
  {
    title: "ensureStream rejects INVALID_OPTION without durable mode, and names the option",
    run: async ({ openStore }) => {
      const { message } = await assertRejects(openStore().ensureStream(), "INVALID_OPTION");
      assert.include(message, "{ durable: true }");
    },
  },
];
