import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { nextEvent } from "../support/events.ts";
import { published } from "../support/messages.ts";

/** A client without credentials is the user "anyone". The client that reads the messages is one of them. */
export const DENIES_SECRETS = `
  no_auth_user: anyone
  authorization {
    users: [
      { user: anyone, password: "", permissions: { publish: { deny: ["_kv.*.key.secret", "_kv.*.key.secret2"] } } }
      { user: admin, password: "right" }
    ]
  }`;

/** Messages that the server refuses. */
export const rejections: readonly ContractCase[] = [
  {
    title: "A write that the server does not permit rejects PUBLISH_REJECTED, and the entry is kept",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore, server }) => {
      const store = openStore();
      const rejected = nextEvent(store, "rejected");
      const error = await assertRejects(store.store("secret", 1), "PUBLISH_REJECTED");
      assert.equal(error.key, "secret");
      assert.deepInclude(await rejected, { key: "secret", version: 1 });
      assert.equal((await rejected).error.code, "PUBLISH_REJECTED");
      assert.equal(await store.retrieve("secret"), 1);
      const [row, ...others] = await store.pendingWrites();
      assert.isEmpty(others);
      assert.deepInclude(row, { key: "secret", operation: "store", version: 1, rejected: true });
      assert.deepInclude(await store.getMetadata("secret"), { version: 1, pending: false, rejected: true });
      assert.isNotEmpty(row?.lastError);
      assert.deepInclude(await store.getStorageStats(), { pendingWrites: 0, rejectedWrites: 1 });
      assert.deepEqual(await store.flush(), { published: 0, pending: 0, rejected: 1 });
      assert.isEmpty(await server.messages());
    },
  },
  {
    title: "bulkStore resolves false for rejected keys and publishes the others",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore, server }) => {
      const store = openStore();
      const results = await store.bulkStore({ a: 1, secret: 2, b: 3 });
      assert.deepEqual(
        [...results],
        [
          ["a", true],
          ["secret", false],
          ["b", true],
        ],
      );
      assert.deepEqual(
        (await published(server)).map(({ key }) => key),
        ["a", "b"],
      );
    },
  },
  {
    title: "retryRejected queues a rejected write again, and a user with permission publishes it",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore, server }) => {
      const first = openStore();
      await assertRejects(first.store("secret", 1), "PUBLISH_REJECTED");
      await first.close();
      const admin = openStore({ connection: { user: "admin", pass: "right" } });
      assert.equal(await admin.retryRejected("other"), 0);
      assert.equal(await admin.retryRejected("secret"), 1);
      await server.waitForMessages(1);
      assert.deepEqual(await published(server), [{ key: "secret", version: 1, value: "1" }]);
    },
  },
  {
    title: "discardRejected removes a rejected write from the outbox and keeps its entry",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ secret: 1, secret2: 2 });
      assert.equal(await store.discardRejected("secret"), 1);
      assert.deepEqual(
        (await store.pendingWrites()).map(({ key }) => key),
        ["secret2"],
      );
      assert.equal(await store.discardRejected(), 1);
      assert.deepEqual(await store.pendingWrites(), []);
      assert.deepEqual(
        await store.bulkRetrieve(["secret", "secret2"]),
        new Map([
          ["secret", 1],
          ["secret2", 2],
        ]),
      );
    },
  },
  {
    title: "A rejected write is superseded by the next write of its key",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore }) => {
      const store = openStore();
      await assertRejects(store.store("secret", "old"), "PUBLISH_REJECTED");
      await assertRejects(store.store("secret", "new"), "PUBLISH_REJECTED");
      const pending = (await store.pendingWrites()).map(({ key, version, rejected }) => ({ key, version, rejected }));
      assert.deepEqual(pending, [{ key: "secret", version: 2, rejected: true }]);
      assert.equal(await openStore().retrieve("secret"), "new");
    },
  },
  {
    title: "getMetadata reports a rejected write as rejected until discardRejected removes it from the outbox",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore }) => {
      const store = openStore();
      await assertRejects(store.store("secret", 1), "PUBLISH_REJECTED");
      const state = async (): Promise<object> => {
        const { pending, rejected } = (await store.getMetadata("secret"))!;
        return { pending, rejected };
      };
      assert.deepEqual(await state(), { pending: false, rejected: true });
      assert.equal(await store.discardRejected("secret"), 1);
      assert.deepEqual(await state(), { pending: false, rejected: false });
    },
  },
  {
    title: "getMetadata reports a rejected write as pending again after retryRejected",
    serverConfig: DENIES_SECRETS,
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await assertRejects(store.store("secret", 1), "PUBLISH_REJECTED");
      await server.hang();
      assert.equal(await store.retryRejected("secret"), 1);
      assert.deepInclude(await store.getMetadata("secret"), { pending: true, rejected: false });
      assert.deepInclude(await store.getStorageStats(), { pendingWrites: 1, rejectedWrites: 0 });
    },
  },
  {
    title: "A write is queued and `offline` is dispatched when the credentials are wrong, and the right credentials publish the write",
    serverConfig: DENIES_SECRETS,
    failsSockets: true, // the server closes the connection without a WebSocket closing handshake
    run: async ({ openStore, server }) => {
      const wrong = openStore({ connection: { user: "admin", pass: "wrong" } });
      const offline = nextEvent(wrong, "offline");
      assert.isFalse(await wrong.store("k", 1));
      assert.match((await offline).error.message, /authorization/i);
      assert.notInclude(JSON.stringify(await wrong.pendingWrites()), "wrong");
      await wrong.close();
      openStore({ connection: { user: "admin", pass: "right" } });
      await server.waitForMessages(1);
    },
  },
  {
    title: "A message over the server's max_payload rejects PAYLOAD_TOO_LARGE after the store has connected once",
    serverConfig: "max_payload: 2000",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.ping();
      await assertRejects(store.store("k", "x".repeat(3_000)), "PAYLOAD_TOO_LARGE");
      assert.isFalse(await store.exists("k"));
      assert.isTrue(await store.store("k", "x".repeat(100)));
      assert.lengthOf(await server.messages(), 1);
    },
  },
];
