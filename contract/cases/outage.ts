import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { byName } from "../support/by-name.ts";
import { nextEvent } from "../support/events.ts";
import { distinct, published } from "../support/messages.ts";
import { until, untilPublished } from "../support/waiting.ts";

/** The server becomes unreachable and reachable again. */
export const outage: readonly ContractCase[] = [
  {
    title: "Writes resolve false, are readable and are listed as pending while the server is unreachable",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      assert.isFalse(await store.store("a", 1));
      assert.isFalse(await store.update("b", 2));
      assert.deepEqual(await store.bulkStore({ c: 3 }), new Map([["c", false]]));
      assert.isFalse(await store.delete("absent"));
      for (const reader of [store, openStore()]) {
        assert.deepEqual(
          await reader.bulkRetrieve(["a", "b", "c"]),
          new Map([
            ["a", 1],
            ["b", 2],
            ["c", 3],
          ]),
        );
        assert.deepInclude(await reader.getMetadata("a"), { pending: true, rejected: false });
        const pending = (await reader.pendingWrites()).map(({ key, operation, version, rejected }) => ({
          key,
          operation,
          version,
          rejected,
        }));
        assert.sameDeepMembers(pending, [
          ...["a", "b", "c"].map((key) => ({ key, operation: "store" as const, version: 1, rejected: false })),
          { key: "absent", operation: "delete", version: 1, rejected: false },
        ]);
        assert.deepInclude(await reader.getStorageStats(), { entries: 3, pendingWrites: 4, rejectedWrites: 0 });
        assert.deepInclude(await reader.flush(), { published: 0, pending: 4, rejected: 0 });
      }
    },
  },
  {
    title: "Queued writes are published in commit order, each with one id, once the server is reachable again",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      for (let index = 0; index < 20; index++) await store.store(`k${index}`, index);
      await store.delete("k3");
      await store.store("k5", "newer");
      await server.restore();
      await untilPublished(store);
      const writes = await published(server);
      const newest = new Map(writes.map((write) => [write.key, write]));
      assert.deepEqual(newest.get("k3"), { key: "k3", version: 2, value: undefined });
      assert.deepEqual(newest.get("k5"), { key: "k5", version: 2, value: '"newer"' });
      const once = writes.map(({ key }) => key).filter((key) => key !== "k3" && key !== "k5");
      assert.deepEqual(
        once,
        Array.from({ length: 20 }, (_, index) => `k${index}`).filter((key) => key !== "k3" && key !== "k5"),
      );
      assert.lengthOf(distinct(await server.messages()), (await server.messages()).length, "each id occurs once");
      assert.isFalse((await store.getMetadata("k0"))?.pending);
      assert.deepEqual(await store.pendingWrites(), []);
    },
  },
  {
    title: "A queued write is published in the background without another call",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      const confirmed = nextEvent(store, "published");
      await store.store("k", 1);
      await server.restore();
      assert.deepEqual(await confirmed, { key: "k", version: 1, operation: "store" });
      assert.lengthOf(await server.messages(), 1);
    },
  },
  {
    title: "`offline` is dispatched with the error and the number of pending writes, and `online` when the server answers again",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const store = openStore();
      // The first event may come before the commit: the connection fails while the write is being prepared.
      const offline = nextEvent(store, "offline", ({ pending }) => pending === 1);
      await store.store("k", 1);
      await store.flush();
      assert.instanceOf((await offline).error, Error);
      assert.isNotEmpty((await offline).error.message);
      const online = nextEvent(store, "online");
      await server.restore();
      await untilPublished(store);
      assert.isNumber((await online).pending);
    },
  },
  {
    title: "A new store publishes the writes that an earlier store has queued",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const earlier = openStore();
      await earlier.bulkStore({ a: 1, b: 2 });
      await earlier.close();
      await server.restore();
      openStore();
      await server.waitForMessages(2);
      assert.sameMembers(
        (await published(server)).map(({ key }) => key),
        ["a", "b"],
      );
    },
  },
  {
    title: "A write is published again with the same id when its confirmation is lost",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore({ timeoutMs: 1_000, lingerMs: 60_000 });
      await store.store("first", 1);
      await server.hang();
      assert.isFalse(await store.store("k", 2));
      // The message that was held back arrives too, unless the store has closed its socket.
      await server.restore();
      await untilPublished(store);
      const writes = distinct((await server.messages()).filter(({ envelope }) => envelope?.key === "k"));
      assert.deepEqual(writes, [{ key: "k", version: 1, value: "2" }]);
    },
  },
  {
    title: "A write that was sent and resolves false is in the database and in the outbox before its call resolves",
    outage: true,
    run: async ({ openStore, server, database }) => {
      const store = openStore({ timeoutMs: 1_000, lingerMs: 60_000 });
      await store.bulkStore({ updated: 0, deleted: 0 });
      await server.hang();
      const write = async (key: string, call: Promise<unknown>): Promise<object> => {
        const result = await call;
        const reader = openStore();
        const listed = (await reader.pendingWrites())
          .filter((pending) => pending.key === key)
          .map(({ operation, version }) => ({ operation, version }));
        return { result, listed, value: await reader.retrieve(key) };
      };
      const results = await byName({
        stored: write("stored", store.store("stored", 1)),
        updated: write("updated", store.update("updated", 2)),
        bulk: write("bulk", store.bulkStore({ bulk: 3 })),
        deleted: write("deleted", store.delete("deleted")),
      });
      assert.deepEqual(results, {
        stored: { result: false, listed: [{ operation: "store", version: 1 }], value: 1 },
        updated: { result: false, listed: [{ operation: "store", version: 2 }], value: 2 },
        bulk: { result: new Map([["bulk", false]]), listed: [{ operation: "store", version: 1 }], value: 3 },
        deleted: { result: true, listed: [{ operation: "delete", version: 2 }], value: undefined },
      });
      assert.includeMembers(await database.keys(), ["bulk", "stored", "updated"]);
    },
  },
  {
    title: "clearCache keeps unconfirmed writes, and they are published later",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("confirmed", 1);
      await until("the write is settled", async () => (await openStore().pendingWrites()).length === 0);
      await server.disconnect();
      await store.store("queued", 2);
      await store.clearCache();
      assert.deepEqual(await store.listKeys(), ["queued"]);
      await server.restore();
      await untilPublished(store);
      assert.deepEqual(
        (await published(server)).map(({ key }) => key),
        ["confirmed", "queued"],
      );
    },
  },
  {
    title: "An unconfirmed write that expires is still published",
    outage: true,
    run: async ({ openStore, server, setClock }) => {
      setClock(Date.UTC(2030, 0, 1));
      await server.disconnect();
      const store = openStore();
      await store.store("k", 1, { ttl: 1 });
      setClock(Date.UTC(2030, 0, 2));
      await store.sweep();
      assert.isFalse(await store.exists("k"));
      assert.lengthOf(await store.pendingWrites(), 1);
      await server.restore();
      await untilPublished(store);
      assert.deepEqual(await published(server), [{ key: "k", version: 1, value: "1" }]);
    },
  },
  {
    title: "A write resolves false when its signal is aborted after the commit",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.hang();
      const store = openStore({ timeoutMs: 20_000 });
      const controller = new AbortController();
      const writing = store.store("k", 1, { signal: controller.signal });
      const reader = openStore();
      await until("the write is committed", () => reader.exists("k"));
      controller.abort();
      assert.isFalse(await writing);
      await server.restore();
      await server.waitForMessages(1);
      assert.equal(await store.retrieve("k"), 1);
    },
  },
];
