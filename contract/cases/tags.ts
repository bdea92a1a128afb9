import { assert } from "chai";
import type { KeyMetadata, NASKeyStore } from "nas-keystore";
import type { ContractCase } from "../environment.ts";
import { assertRejects, rejection } from "../support/assertions.ts";
import { details } from "../support/events.ts";
import { DENIES_SECRETS } from "./rejections.ts";

const NOW = Date.UTC(2030, 0, 1);

async function stale(store: Pick<NASKeyStore, "getMetadata">, ...keys: string[]): Promise<(boolean | undefined)[]> {
  const found: (KeyMetadata | undefined)[] = await Promise.all(keys.map((key) => store.getMetadata(key)));
  return found.map((metadata) => metadata?.stale);
}

function numbered(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
}

export const deletesByTag: readonly ContractCase[] = [
  {
    title: "deleteByTag deletes the entries that have the tag, publishes each delete, and resolves to their number",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2 }, { tags: ["t", "u"] });
      await store.store("c", 3, { tags: ["u"] });
      await store.store("t", 4);
      assert.equal(await store.deleteByTag("t"), 2);
      assert.deepEqual(await store.listKeys(), ["c", "t"]);
      assert.isUndefined(await store.retrieve("a"));
      const messages = await server.waitForMessages(6);
      const deletes = messages.slice(4).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}@${envelope?.version}`);
      assert.sameMembers(deletes, ["delete a@2", "delete b@2"]);
      assert.equal(await store.deleteByTag("t"), 0);
      assert.deepEqual(await store.pendingWrites(), []);
    },
  },
  {
    title: "deleteByTag deletes the entries of the calls before it, and no entry of a call after it; later reads see it",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("before", 1, { tags: ["t"] });
      const stored = [store.store("again", 1, { tags: ["t"] }), store.store("loses", 1, { tags: ["t"] }), store.store("loses", 2)];
      const deleted = store.deleteByTag("t");
      const later = [store.store("again", 2, { tags: ["t"] }), store.store("after", 1, { tags: ["t"] })];
      assert.isUndefined(await store.retrieve("before"));
      assert.isFalse(await store.exists("before"));
      assert.equal(await deleted, 2);
      await Promise.all([...stored, ...later]);
      assert.deepEqual(
        await store.bulkRetrieve(["before", "again", "loses", "after"]),
        new Map<string, unknown>([
          ["again", 2],
          ["loses", 2],
          ["after", 1],
        ]),
      );
    },
  },
  {
    title: "deleteByTag reports its progress, in more than one slice for very many entries",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(600), { tags: ["t"] });
      const progress: [number, number][] = [];
      assert.equal(await store.deleteByTag("t", { onProgress: (done, total) => void progress.push([done, total]) }), 600);
      assert.isAbove(progress.length, 1);
      assert.deepEqual(progress.at(-1), [600, 600]);
      assert.isEmpty(await store.listKeys());
    },
  },
  {
    title: "Without a server, deleteByTag deletes here, and the deletes wait to be published",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2 }, { tags: ["t"] });
      await server.disconnect();
      assert.equal(await store.deleteByTag("t"), 2);
      assert.isEmpty(await store.listKeys());
      assert.sameMembers(
        (await store.pendingWrites()).map(({ key, operation }) => `${operation} ${key}`),
        ["delete a", "delete b"],
      );
    },
  },
  {
    title: "deleteByTag resolves although the server refuses a delete, which stays in pendingWrites",
    serverConfig: DENIES_SECRETS,
    run: async ({ openStore }) => {
      const store = openStore();
      const rejected = details(store, "rejected");
      await store.bulkStore({ secret: 1, open: 2 }, { tags: ["t"] });
      assert.equal(await store.deleteByTag("t"), 2);
      assert.isEmpty(await store.listKeys());
      assert.deepEqual(
        rejected.map(({ key, version }) => `${key}@${version}`),
        ["secret@1", "secret@2"],
      );
      assert.deepEqual(
        (await store.pendingWrites()).map((write) => write.rejected),
        [true],
      );
    },
  },
  {
    title: "deleteByTag leaves out expired entries, deletes damaged ones, and refuses a tag that is not a well-formed string",
    run: async ({ openStore, setClock, database }) => {
      setClock(NOW);
      const store = openStore({ cacheSize: 0 });
      await store.store("expired", 1, { tags: ["t"], ttl: 1 });
      await store.store("damaged", 1, { tags: ["t"] });
      await database.flipBit("damaged");
      setClock(NOW + 2_000);
      assert.equal(await store.deleteByTag("t"), 1);
      assert.isUndefined(await store.retrieve("damaged"));
      for (const tag of [undefined, null, 1, ["t"], "\ud800"]) {
        assert.equal((await assertRejects(store.deleteByTag(tag as string), "INVALID_OPTION")).option, "tag");
      }
    },
  },
];

export const invalidation: readonly ContractCase[] = [
  {
    title:
      "invalidate marks the entries that have the tag, match the pattern, or both, and resolves to their number; they can still be read",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore({ "user:1": 1, "user:2": 2 }, { tags: ["t"] });
      await store.store("post:1", 3, { tags: ["t"] });
      await store.store("user:3", 4);
      assert.deepEqual(await stale(store, "user:1", "absent"), [false, undefined]);
      assert.equal(await store.invalidate({ tag: "t", pattern: "user:*" }), 2);
      assert.deepEqual(await stale(store, "user:1", "user:2", "user:3", "post:1"), [true, true, false, false]);
      assert.equal(await store.invalidate({ tag: "t" }), 1);
      assert.equal(await store.invalidate({ pattern: "*" }), 1);
      assert.equal(await store.invalidate({ pattern: "*" }), 0);
      assert.deepEqual(await stale(store, "user:3", "post:1"), [true, true]);
      assert.equal(await store.retrieve("user:1"), 1);
      assert.deepInclude(await store.getMetadata("user:1"), { version: 1, pending: false });
      assert.lengthOf(await server.messages(), 4);
    },
  },
  {
    title: "A new write of a stale key makes it fresh, also with the options of an update; a touch does not",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore({ a: 1, b: 2, c: 3, d: 4 });
      assert.equal(await store.invalidate({ pattern: "?" }), 4);
      await store.store("a", 1);
      await store.update("b", 2);
      await store.bulkStore({ c: 3 });
      await store.touch("d", 60);
      assert.deepEqual(await stale(store, "a", "b", "c", "d"), [false, false, false, true]);
      await store.delete("d");
      await store.store("d", 5);
      assert.deepEqual(await stale(store, "d"), [false]);
    },
  },
  {
    title: "invalidate counts the writes that were called before it, and no later ones, awaited or not",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("again", 1);
      const writes = [store.store("before", 1)];
      const marked = store.invalidate({ pattern: "*" });
      writes.push(store.store("again", 2), store.store("after", 1));
      const seen = stale(store, "before", "again");
      const many = store.bulkStore({ another: 1 });
      assert.deepEqual(await seen, [true, false]);
      assert.isAtLeast(await marked, 1);
      await Promise.all([...writes, many]);
      assert.deepEqual(await stale(store, "before", "again", "after", "another"), [true, false, false, false]);
    },
  },
  {
    title: "Entries are stale in every tab and after a reload, and a write in another tab makes them fresh",
    run: async ({ openStore, openTab }) => {
      const store = openStore();
      const tab = await openTab();
      await store.bulkStore({ a: 1, b: 2 });
      assert.equal(await tab.retrieve("a"), 1);
      assert.equal(await tab.invalidate({ pattern: "*" }), 2);
      assert.deepEqual(await stale(store, "a", "b"), [true, true]);
      assert.deepEqual(await stale(openStore(), "a", "b"), [true, true]);
      await tab.store("a", 3);
      assert.deepEqual(await stale(store, "a", "b"), [false, true]);
      assert.equal(await store.invalidate({ pattern: "*" }), 1);
      await store.close();
      await tab.close();
      assert.deepEqual(await stale(openStore(), "a", "b"), [true, true]);
    },
  },
  {
    title: "invalidate marks entries in slices, reports its progress, and leaves blocks and their values as they are",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(600));
      const progress: [number, number][] = [];
      assert.equal(await store.invalidate({ pattern: "k*" }, { onProgress: (done, total) => void progress.push([done, total]) }), 600);
      assert.isAbove(progress.length, 1);
      assert.deepEqual(progress.at(-1), [600, 600]);
      assert.deepEqual(await stale(store, "k0", "k300", "k599"), [true, true, true]);
      assert.equal(await openStore().retrieve("k300"), 300);
    },
  },
  {
    title: "An aborted invalidate rejects with the signal's reason; what it has marked stays stale, and the next call marks the rest",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(numbered(600));
      const controller = new AbortController();
      const reason = new Error("enough");
      const call = store.invalidate({ pattern: "*" }, { signal: controller.signal, onProgress: () => controller.abort(reason) });
      assert.strictEqual<unknown>(await rejection(call), reason);
      const rest = await store.invalidate({ pattern: "*" });
      assert.isAbove(rest, 0);
      assert.isBelow(rest, 600);
      assert.equal(await store.invalidate({ pattern: "*" }), 0);
    },
  },
  {
    title: "invalidate leaves out deleted and expired entries, and marks damaged ones",
    run: async ({ openStore, setClock, database }) => {
      setClock(NOW);
      const store = openStore({ cacheSize: 0 });
      await store.store("expired", 1, { ttl: 1 });
      await store.bulkStore({ deleted: 1, damaged: 1 });
      await store.delete("deleted");
      await database.flipBit("damaged");
      setClock(NOW + 2_000);
      assert.equal(await store.invalidate({ pattern: "*" }), 1);
      assert.deepEqual(await stale(store, "damaged"), [true]);
      await assertRejects(store.retrieve("damaged"), "CHECKSUM_MISMATCH");
    },
  },
  {
    title: "Without a server, invalidate marks entries, queued ones too",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await server.disconnect();
      assert.isFalse(await store.store("k", 1, { tags: ["t"] }));
      assert.equal(await store.invalidate({ tag: "t" }), 1);
      assert.deepInclude(await store.getMetadata("k"), { stale: true, pending: true });
      await server.restore();
      await store.flush();
      assert.deepInclude(await store.getMetadata("k"), { stale: true, pending: false });
    },
  },
  {
    title: "invalidate refuses anything but a pattern or a tag, and marks nothing then",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.store("k", 1);
      const wrong: readonly [what: unknown, option: string | undefined][] = [
        [undefined, undefined],
        [null, undefined],
        ["*", undefined],
        [{}, undefined],
        [{ tag: undefined, pattern: undefined }, undefined],
        [{ tag: 1 }, "tag"],
        [{ tag: null, pattern: "*" }, "tag"],
        [{ tag: "\ud800" }, "tag"],
        [{ pattern: /k/ }, "pattern"],
        [{ tags: ["t"], pattern: "*" }, "tags"],
      ];
      for (const [what, option] of wrong) {
        const error = await assertRejects(store.invalidate(what as { tag: string }), "INVALID_OPTION");
        assert.equal(error.option, option);
      }
      assert.deepEqual(await stale(store, "k"), [false]);
    },
  },
  {
    title: "clearCache and the expiry of an entry end its staleness",
    run: async ({ openStore, setClock }) => {
      setClock(NOW);
      const store = openStore();
      await store.bulkStore({ a: 1, b: 1 }, { ttl: 1 });
      await store.flush();
      await store.invalidate({ pattern: "*" });
      setClock(NOW + 2_000);
      await store.sweep();
      await store.store("a", 2);
      await store.clearCache();
      await store.store("b", 2);
      assert.deepEqual(await stale(store, "b"), [false]);
    },
  },
];
