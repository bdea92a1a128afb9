import { assert } from "chai";
import type { KeyStoreOptions } from "nas-keystore";
import type { Connect, ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { nextEvent } from "../support/events.ts";
import { until } from "../support/waiting.ts";

/** Invalid values of each option. */
const INVALID: Readonly<Record<keyof KeyStoreOptions, readonly unknown[]>> = {
  servers: ["", "http://localhost", [], 1],
  namespace: ["", "a b", "a.", "a.*", ">", "$SYS", 1],
  cacheSize: [-1, 1.5, "1"],
  maxEntries: [-1, 1.5],
  maxBytes: [-1, Number.NaN],
  maxPayloadBytes: [-1, "1"],
  defaultTtl: [0, -1, "1"],
  sweepIntervalMs: [-1, Infinity],
  lingerMs: [-1, 2 ** 31],
  timeoutMs: [-1, "1"],
  compression: ["yes", { thresholdBytes: -1 }, { threshold: 1 }],
  connection: ["user", { servers: [] }, { reconnect: true }],
  connect: ["nats"],
  encryption: [
    true,
    {},
    { key: "secret" },
    { key: [] },
    { key: [() => undefined, 1] },
    { key: () => undefined, messages: 1 },
    { key: () => undefined, salt: "" },
  ],
  schemas: [1, [], { a: undefined }, { a: {} }, { a: { "~standard": { version: 2, validate: () => ({ value: 1 }) } } }],
  migrate: [{}],
  durable: [1, "yes", { stream: "a.b" }, { stream: 1 }, { replicas: 0 }, { history: -1 }, { pullEveryMs: -1 }, { name: "a" }],
  persist: [1],
};

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
};
const failing = (): never => {
  throw new Error("x".repeat(10_000));
};

/** Options that cannot be read, and the name of the option that cannot. */
const UNREADABLE: readonly (readonly [options: () => unknown, option: string | undefined])[] = [
  [revoked, undefined],
  [() => ({ get signal() { return failing(); } }), "signal"], // prettier-ignore
  [() => ({ signal: revoked() }), "signal"],
  [() => new Proxy({}, { ownKeys: failing }), undefined],
  [() => ({ ["x".repeat(10_000)]: 1 }), "x".repeat(10_000)],
];

/** Counts the connections that a client has opened, and the connections that are open now. */
function counted(connect: Connect): { connect: Connect; opened: () => number; open: () => number } {
  let opened = 0;
  let open = 0;
  return {
    connect: async (options) => {
      const connection = await connect(options);
      opened++;
      open++;
      void connection.closed().then(() => open--);
      return connection;
    },
    opened: () => opened,
    open: () => open,
  };
}

/** Each option of the constructor, and the validation of all options. */
export const options: readonly ContractCase[] = [
  {
    title: "The constructor throws INVALID_OPTION with the option's name when an option has a wrong value or is unknown",
    run: async ({ library: { NASKeyStore, KeyStoreError } }) => {
      const wrong = Object.entries(INVALID).flatMap(([name, values]) => values.map((value) => ({ [name]: value })));
      for (const given of [...wrong, { unknown: 1 }, 1, null]) {
        let thrown: unknown;
        try {
          void new NASKeyStore(given as object).close();
        } catch (error) {
          thrown = error;
        }
        assert.instanceOf(thrown, KeyStoreError, JSON.stringify(given));
        assert.equal(thrown.code, "INVALID_OPTION");
        // Of an object with one option, its name; undefined where the options are not an object.
        assert.equal(thrown.option, Object.keys(Object(given) as object)[0]);
      }
    },
  },
  {
    title: "Operations reject INVALID_OPTION with the option's name and change nothing when an option has a wrong value or is unknown",
    run: async ({ openStore, server, library }) => {
      const store = openStore();
      const wrong = [
        { format: "xml" },
        { ttl: 0 },
        { ttl: "1" },
        { tags: "a" },
        { tags: [1] },
        { ifVersion: -1 },
        { signal: {} },
        { unknown: 1 },
      ];
      const assertNamesOption = async (call: Promise<unknown>, given: object): Promise<void> => {
        assert.equal((await assertRejects(call, "INVALID_OPTION")).option, Object.keys(given)[0]);
      };
      for (const given of wrong as object[]) {
        await assertNamesOption(store.store("k", 1, given), given);
        await assertNamesOption(store.update("k", 1, given), given);
        await assertNamesOption(store.bulkStore({ k: 1 }, given), given);
        await assertNamesOption(store.delete("k", given), given);
        await assertNamesOption(store.retrieve("k", given), given);
        await assertNamesOption(store.bulkRetrieve(["k"], given), given);
        await assertNamesOption(store.flush(given), given);
        await assertNamesOption(store.listKeys("*", given), given);
      }
      await assertNamesOption(store.bulkStore({ k: 1 }, { onProgress: 1 } as object), { onProgress: 1 });
      await assertNamesOption(store.retrieve("k", { useCache: 1 } as object), { useCache: 1 });
      await assertNamesOption(store.listKeys("*", { tag: 1 } as object), { tag: 1 });
      await assertNamesOption(store.listKeys(1 as unknown as string), { pattern: 1 });
      await assertNamesOption(library.destroyNamespace("a b"), { namespace: "a b" });
      assert.isEmpty(await store.listKeys());
      assert.isEmpty(await server.messages());
    },
  },
  {
    title: "Options that cannot be read are INVALID_OPTION, with the option's name and a short message",
    run: async ({ openStore, library: { NASKeyStore } }) => {
      const store = openStore();
      await store.store("k", 1);
      for (const [make, option] of UNREADABLE) {
        const calls: readonly ((options: object) => Promise<unknown>)[] = [
          (options) => store.store("k", 2, options),
          (options) => store.update("k", 2, options),
          (options) => store.bulkStore({ k: 2 }, options),
          (options) => store.delete("k", options),
          (options) => store.retrieve("k", options),
          (options) => store.bulkRetrieve(["k"], options),
          (options) => store.flush(options),
          (options) => store.listKeys("*", options),
          async (options) => new NASKeyStore(options),
        ];
        for (const [index, call] of calls.entries()) {
          const error = await assertRejects(call(make() as object), "INVALID_OPTION");
          // The constructor knows no option "signal", and need not read it.
          if (index < calls.length - 1 || option !== "signal") assert.equal(error.option, option);
          assert.isBelow(error.message.length, 500);
        }
      }
      assert.equal(await store.retrieve("k"), 1);
    },
  },
  {
    title: "Operations reject with the reason of an aborted signal and change nothing",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("k", "old");
      const signal = AbortSignal.abort(new Error("stop"));
      for (const call of [
        store.store("k", 1, { signal }),
        store.update("k", 1, { signal }),
        store.delete("k", { signal }),
        store.bulkStore({ k: 1 }, { signal }),
        store.retrieve("k", { signal }),
        store.bulkRetrieve(["k"], { signal }),
        store.flush({ signal }),
      ]) {
        assert.equal((await rejection(call)).message, "stop");
      }
      assert.equal(await store.retrieve("k"), "old");
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "Stores of different namespaces do not share entries or subjects",
    run: async ({ openStore, namespace, server, library }) => {
      const store = openStore();
      const other = openStore({ namespace: `${namespace}.other` });
      await store.store("k", "one");
      await other.store("k", "two");
      assert.equal(await store.retrieve("k"), "one");
      assert.equal(await other.retrieve("k"), "two");
      const subjects = (await server.waitForMessages(2)).map(({ subject }) => subject);
      assert.deepEqual(subjects, [`_kv.${namespace}.key.k`, `_kv.${namespace}.other.key.k`]);
      await other.close();
      await library.destroyNamespace(`${namespace}.other`);
      assert.equal(await openStore().retrieve("k"), "one");
    },
  },
  {
    title: "The connect function of another NATS client receives the options of `connection`",
    run: async ({ openStore, connect, server }) => {
      let seen: object = {};
      const store = openStore({
        connection: { name: "my app" },
        connect: (given) => {
          seen = given;
          return connect(given);
        },
      });
      assert.isTrue(await store.store("k", 1));
      assert.deepInclude(seen, { name: "my app", reconnect: false });
      assert.lengthOf(await server.waitForMessages(1), 1);
    },
  },
  {
    title: "Concurrent operations share one connection, which is closed once it is idle",
    run: async ({ openStore, connect }) => {
      const client = counted(connect);
      const store = openStore({ connect: client.connect });
      await Promise.all(Array.from({ length: 20 }, (_, index) => store.store(`k${index}`, index)));
      assert.equal(client.opened(), 1);
      await until("the connection is closed", () => client.open() === 0);
      await store.ping();
      assert.equal(client.opened(), 2);
    },
  },
  {
    title: "lingerMs keeps an idle connection open until the store is closed",
    run: async ({ openStore, connect }) => {
      const client = counted(connect);
      const store = openStore({ connect: client.connect, lingerMs: 60_000 });
      await store.store("a", 1);
      await store.store("b", 2);
      await store.ping();
      assert.deepEqual({ opened: client.opened(), open: client.open() }, { opened: 1, open: 1 });
      await store.close();
      await until("the connection is closed", () => client.open() === 0);
    },
  },
  {
    title: "timeoutMs limits the wait for a server that never answers",
    run: async ({ openStore }) => {
      const store = openStore({ timeoutMs: 100, connect: () => new Promise(() => undefined) });
      const offline = nextEvent(store, "offline");
      assert.isFalse(await store.store("k", 1));
      assert.isFalse(await store.ping());
      assert.equal(await store.retrieve("k"), 1);
      await offline;
    },
  },
  {
    title: "persist requests persistent storage at the first write",
    run: async ({ openStore }) => {
      // Only pages can request it. WebKitGTK and Node have no `navigator.storage`.
      const storage = (globalThis.navigator as Partial<Navigator> | undefined)?.storage;
      let requests = 0;
      if (storage?.persist !== undefined) storage.persist = () => Promise.resolve(++requests > 0);
      const store = openStore({ persist: true });
      await store.exists("k");
      assert.equal(requests, 0);
      assert.isTrue(await store.store("a", 1));
      assert.isTrue(await store.store("b", 1));
      assert.equal(requests, storage?.persist === undefined ? 0 : 1);
    },
  },
];
