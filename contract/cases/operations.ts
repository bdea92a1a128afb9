import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";

const ADA = { name: "Ada", age: 36 };

/** Each operation on a single store while the server is reachable. */
export const operations: readonly ContractCase[] = [
  {
    title: "A stored value is returned by the same store, by a new store and in another tab",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      assert.isTrue(await store.store("user:1", ADA));
      const tab = await openTab();
      for (const reader of [store, openStore(), tab]) assert.deepEqual(await reader.retrieve("user:1"), ADA);
    },
  },
  {
    title: "store publishes one message with the value and its metadata",
    run: async ({ openStore, server, namespace }) => {
      const store = openStore();
      await store.store("user:1", ADA, { ttl: 60, tags: ["web"] });
      const [message, ...others] = await server.waitForMessages(1);
      const metadata = (await store.getMetadata("user:1"))!;
      assert.isEmpty(others);
      assert.equal(message?.subject, `_kv.${namespace}.key.user:1`);
      assert.match(message?.headers["Nats-Msg-Id"] ?? "", /^\S+$/);
      assert.deepInclude(message?.envelope, { operation: "store", key: "user:1", value: JSON.stringify(ADA) });
      assert.deepInclude(message?.envelope?.metadata, {
        format: "json",
        ttl: 60,
        tags: ["web"],
        version: 1,
        size: JSON.stringify(ADA).length,
        checksum: metadata.checksum,
        created_at: metadata.createdAt.toISOString(),
      });
    },
  },
  {
    title: "A key with dots, spaces and wildcards is escaped in the subject",
    run: async ({ openStore, server, namespace }) => {
      await openStore().store("a.b *>", 1);
      const [message] = await server.waitForMessages(1);
      assert.equal(message?.subject, `_kv.${namespace}.key.a%2Eb%20%2A%3E`);
      assert.equal(message?.envelope?.key, "a.b *>");
    },
  },
  {
    title: "retrieve resolves undefined for an absent key",
    run: async ({ openStore }) => {
      const store = openStore();
      assert.isUndefined(await store.retrieve("absent"));
      assert.isUndefined(await store.retrieve("absent", { useCache: false }));
      assert.isUndefined(await store.getMetadata("absent"));
      assert.isFalse(await store.exists("absent"));
    },
  },
  {
    title: "retrieve returns a fresh copy at each call",
    run: async ({ openStore }) => {
      const store = openStore();
      const value = { list: [1] };
      await store.store("k", value);
      value.list.push(2);
      (await store.retrieve<typeof value>("k"))?.list.push(3);
      assert.deepEqual(await store.retrieve("k"), { list: [1] });
    },
  },
  {
    title: "store captures the value when it is called",
    run: async ({ openStore }) => {
      const store = openStore();
      const list = [1];
      const bytes = new Uint8Array([1, 2, 3]);
      const storing = Promise.all([
        store.store("json", list),
        store.store("structured", new Map([["list", list]]), { format: "structured" }),
        store.store("view", bytes, { format: "binary" }),
        store.store("buffer", bytes.buffer, { format: "binary" }),
      ]);
      list.push(2);
      bytes.fill(9);
      await storing;
      assert.deepEqual(await store.retrieve("json"), [1]);
      assert.deepEqual(await store.retrieve("structured"), new Map([["list", [1]]]));
      assert.deepEqual(await store.retrieve("view"), new Uint8Array([1, 2, 3]));
      assert.deepEqual(await store.retrieve("buffer"), new Uint8Array([1, 2, 3]));
    },
  },
  {
    title: "delete resolves true, removes the entry and publishes the delete",
    run: async ({ openStore, server, namespace }) => {
      const store = openStore();
      await store.store("k", 1);
      assert.isTrue(await store.delete("k"));
      assert.isFalse(await store.exists("k"));
      assert.isUndefined(await openStore().retrieve("k"));
      const [, message] = await server.waitForMessages(2);
      assert.equal(message?.subject, `_kv.${namespace}.key.k`);
      assert.deepInclude(message?.envelope, { operation: "delete", key: "k", version: 2 });
    },
  },
  {
    title: "delete of an absent key resolves false and is published",
    run: async ({ openStore, server }) => {
      assert.isFalse(await openStore().delete("absent"));
      const [message] = await server.waitForMessages(1);
      assert.deepInclude(message?.envelope, { operation: "delete", key: "absent" });
    },
  },
  {
    title: "A key that another tab has deleted can be stored again",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      await store.store("k", 1);
      assert.isTrue(await (await openTab()).delete("k"));
      assert.isTrue(await store.store("k", 2, { ifVersion: 0 }));
      assert.equal(await openStore().retrieve("k"), 2);
    },
  },
  {
    title: "exists resolves true for an entry and false for an absent key",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", null);
      assert.isTrue(await store.exists("k"));
      assert.isTrue(await openStore().exists("k"));
      assert.isFalse(await store.exists("K"));
    },
  },
  {
    title: "update keeps format, ttl and tags unless they are given",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", "old", { format: "text", ttl: 60, tags: ["a"] });
      await store.update("k", "new");
      assert.equal(await store.retrieve("k"), "new");
      assert.deepInclude(await store.getMetadata("k"), { format: "text", ttl: 60, tags: ["a"] });
      await store.update("k", { json: true }, { format: "json", ttl: null, tags: [] });
      assert.deepEqual(await store.retrieve("k"), { json: true });
      assert.deepInclude(await store.getMetadata("k"), { format: "json", ttl: null, tags: [] });
    },
  },
  {
    title: "update creates an entry that is absent",
    run: async ({ openStore }) => {
      const store = openStore();
      assert.isTrue(await store.update("k", 1));
      assert.equal(await store.retrieve("k"), 1);
    },
  },
  {
    title: "getMetadata returns the format, size, version, ttl, tags and times of an entry",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", "äöü", { format: "text", ttl: 60, tags: ["a", "b"] });
      const metadata = (await store.getMetadata("k"))!;
      assert.deepInclude(metadata, {
        key: "k",
        format: "text",
        size: 6,
        version: 1,
        ttl: 60,
        tags: ["a", "b"],
        pending: false,
        rejected: false,
      });
      assert.match(metadata.checksum, /^[0-9a-f]{64}$/);
      assert.instanceOf(metadata.createdAt, Date);
      assert.equal(Number(metadata.expiresAt), Number(metadata.updatedAt) + 60_000);
      await store.store("k", "second");
      const second = (await store.getMetadata("k"))!;
      assert.deepInclude(second, { version: 2, createdAt: metadata.createdAt, expiresAt: null });
      assert.isAtLeast(Number(second.updatedAt), Number(metadata.updatedAt));
    },
  },
  {
    title: "An invalid key rejects INVALID_KEY and changes nothing",
    run: async ({ openStore, server, database }) => {
      const store = openStore();
      for (const key of ["", "k".repeat(1025), "\ud800", 1 as unknown as string]) {
        await assertRejects(store.store(key, 1), "INVALID_KEY");
        await assertRejects(store.retrieve(key), "INVALID_KEY");
        await assertRejects(store.delete(key), "INVALID_KEY");
        await assertRejects(store.exists(key), "INVALID_KEY");
        await assertRejects(store.update(key, 1), "INVALID_KEY");
        await assertRejects(store.getMetadata(key), "INVALID_KEY");
        await assertRejects(
          store.bulkStore([
            ["valid", 1],
            [key, 1],
          ]),
          "INVALID_KEY",
        );
        await assertRejects(store.bulkRetrieve(["valid", key]), "INVALID_KEY");
      }
      assert.isTrue(await store.store("k".repeat(1024), 1));
      assert.deepEqual(await database.keys(), ["k".repeat(1024)]);
      assert.lengthOf(await server.messages(), 1);
    },
  },
];
