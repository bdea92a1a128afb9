import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { conflictEvent } from "./conflicts.ts";
import { assertRejects } from "../support/assertions.ts";
import { lineOf } from "../support/changes.ts";
import { details, nextEvent } from "../support/events.ts";
import { until } from "../support/waiting.ts";

const DENIES_SECRETS = `
  authorization { users: [{ user: anyone, password: "", permissions: { publish: { deny: ["_kv.*.key.secret"] } } }] }
  no_auth_user: anyone`;

/** One case for each row of docs/EVENTS.md. */
export const events: readonly ContractCase[] = [
  {
    title: "`change` is dispatched by every store of the namespace, in every tab, for each change",
    run: async ({ openStore, openTab }) => {
      const [store, other] = [openStore(), openStore()];
      const [changes, others] = [details(store, "change"), details(other, "change")];
      const tab = await openTab();
      await store.store("k", 1);
      await tab.store("k", 2);
      await until("the stores know the write", () => changes.length === 2 && others.length === 2);
      await tab.close();
      await until("the stores know that the tab has ended", () => changes.length > 2 && others.length > 2);
      await other.delete("k");
      for (const list of [changes, others]) {
        assert.deepEqual(list.map(lineOf), ["local store k 1", "tab store k 2", "tab clear *", "local delete k 3"]);
      }
    },
  },
  {
    title: "`published` is dispatched for each confirmed write, by the stores that share the connection, in the tab that published it",
    run: async ({ openStore, openTab }) => {
      const [store, together, apart] = [openStore(), openStore(), openStore({ lingerMs: 1 })];
      const [published, shared, others] = [store, together, apart].map((one) => details(one, "published"));
      await store.store("k", 1);
      await store.delete("k");
      const expected = [
        { key: "k", version: 1, operation: "store" },
        { key: "k", version: 2, operation: "delete" },
      ] as const;
      assert.deepEqual<unknown>(published, expected);
      assert.deepEqual<unknown>(shared, expected);
      const tab = await openTab();
      // No other tab publishes this key: it has no unconfirmed write.
      assert.isTrue(await tab.store("another", 1));
      assert.lengthOf(published!, 2);
      assert.lengthOf(others!, 0);
    },
  },
  {
    title: "`rejected` is dispatched when the server refuses a message, with the error of the call",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore }) => {
      const store = openStore();
      const rejected = details(store, "rejected");
      await assertRejects(store.store("secret", 1), "PUBLISH_REJECTED");
      const [{ key, version, error } = assert.fail(), ...more] = rejected;
      assert.deepEqual([key, version, error.code, error.key, more.length], ["secret", 1, "PUBLISH_REJECTED", "secret", 0]);
    },
  },
  {
    title: "`offline` is dispatched when a write cannot be published, with the reason and the number of pending writes",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      const offline = nextEvent(store, "offline", ({ pending }) => pending === 2);
      await store.bulkStore({ a: 1, b: 2 });
      assert.instanceOf((await offline).error, Error);
    },
  },
  {
    title: "`online` is dispatched when the server answers after `offline`",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      const [offline, online] = [nextEvent(store, "offline"), nextEvent(store, "online")];
      await store.store("k", 1);
      await offline;
      await server.restore();
      await store.flush();
      assert.isNumber((await online).pending);
    },
  },
  {
    title: "`corrupt` is dispatched by the store that reads a damaged entry, at each read",
    run: async ({ openStore, database }) => {
      const writer = openStore();
      await writer.store("k", "a long enough text");
      await writer.close();
      await database.flipBit("k");
      const [store, other] = [openStore(), openStore()];
      const [corrupt, others] = [details(store, "corrupt"), details(other, "corrupt")];
      await assertRejects(store.retrieve("k"), "CHECKSUM_MISMATCH");
      await assertRejects(store.retrieve("k"), "CHECKSUM_MISMATCH");
      assert.deepEqual(
        corrupt.map(({ key, error }) => [key, error.code]),
        [
          ["k", "CHECKSUM_MISMATCH"],
          ["k", "CHECKSUM_MISMATCH"],
        ],
      );
      assert.isEmpty(others);
    },
  },
  conflictEvent,
  {
    title:
      "`reset` is dispatched once by every store that opens the new database after its own was deleted, after a `change` of the type clear",
    run: async ({ openStore, library, namespace }) => {
      const [store, other] = [openStore(), openStore()];
      await store.store("k", 1);
      const order: string[] = [];
      for (const [name, one] of Object.entries({ store, other })) {
        one.addEventListener("change", ({ detail }) => order.push(`${name} ${detail.type}`));
        one.addEventListener("reset", ({ detail }) => order.push(`${name} reset ${typeof detail.reason}`));
      }
      await library.destroyNamespace(namespace);
      assert.isUndefined(await store.retrieve("k"));
      assert.deepEqual(
        order.filter((line) => line.includes("reset")),
        ["store reset string", "other reset string"],
      );
      assert.isTrue(order.indexOf("store clear") < order.indexOf("store reset string"), order.join());
      assert.isTrue(order.indexOf("other clear") < order.indexOf("other reset string"), order.join());
    },
  },
];
