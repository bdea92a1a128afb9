import { assert } from "chai";
import type { ContractCase } from "../environment.ts";
import { envelopeOf, exported } from "../support/envelopes.ts";
import { details } from "../support/events.ts";
import { until, untilPublished } from "../support/waiting.ts";

const SHA_OF_1 = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";

/** Envelopes that are skipped, by the reason. Each would store the key "bad". */
const skipped: Readonly<Record<string, () => unknown>> = {
  "a number": () => 5,
  null: () => null,
  "a promise": () => Promise.resolve(envelopeOf("bad", "1")),
  "an array": () => [envelopeOf("bad", "1")],
  "without metadata": () => ({ operation: "store", key: "bad", value: "1" }),
  "a delete": () => ({ operation: "delete", key: "bad", timestamp: "2026-01-02T03:04:05.678Z", version: 9 }),
  "an unknown operation": () => ({ ...envelopeOf("bad", "1"), operation: "update" }),
  "an invalid key": () => envelopeOf("", "1"),
  "a key that is not well-formed": () => envelopeOf("\ud800", "1"),
  "a value that is no text": () => ({ ...envelopeOf("bad", "1"), value: 1 }),
  "a value that is not well-formed": () => envelopeOf("bad", '"\ud800"'),
  "no json": () => envelopeOf("bad", "{"),
  "no structured value": () => envelopeOf("bad", '[["Function",1],"alert(1)"]', { format: "structured" }),
  "no base64": () => envelopeOf("bad", "AQI", { format: "binary" }),
  pickle: () => envelopeOf("bad", "gASVBQAAAAAAAACMAWGULg==", { format: "pickle" }),
  "a wrong checksum": () => envelopeOf("bad", "2", { checksum: SHA_OF_1 }),
  "no checksum": () => envelopeOf("bad", "1", { checksum: "6b86" }),
  "a wrong size": () => envelopeOf("bad", "1", { size: 2, checksum: SHA_OF_1 }),
  "an unknown encoding": () => envelopeOf("bad", "1", { encoding: "br" }),
  "no gzip": () => envelopeOf("bad", "AQID", { encoding: "gzip", checksum: SHA_OF_1, size: 1 }),
  "no version": () => envelopeOf("bad", "1", { version: undefined }),
  "version 0": () => envelopeOf("bad", "1", { version: 0 }),
  "a version that could not grow": () => envelopeOf("bad", "1", { version: Number.MAX_SAFE_INTEGER }),
  "no time": () => envelopeOf("bad", "1", { updated_at: "yesterday" }),
  "a time out of range": () => envelopeOf("bad", "1", { updated_at: "+999999-01-01T00:00:00.000Z" }),
  "a negative ttl": () => envelopeOf("bad", "1", { ttl: -1 }),
  "an infinite ttl": () => envelopeOf("bad", "1", { ttl: Infinity }),
  "tags that are no texts": () => envelopeOf("bad", "1", { tags: [1] }),
  "one tag": () => envelopeOf("bad", "1", { tags: "a" }),
  "an envelope that has expired": () => envelopeOf("bad", "1", { ttl: 1 }),
  "an envelope that a touch did not keep alive": () =>
    envelopeOf("bad", "1", { ttl: 1e9, expires_at: new Date(Date.now() - 1).toISOString() }),
  "a getter that throws": () => ({
    get operation(): string {
      throw new Error("mine");
    },
  }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a message over the limit": () => envelopeOf("bad", JSON.stringify("x".repeat(1024 * 1024))),
};

/** What an import does with envelopes: which it skips, and which entry of a key wins. */
export const importMerging: readonly ContractCase[] = [
  {
    title: "An import skips deletes, and envelopes that are malformed, damaged, expired or too large, and imports the rest",
    run: async ({ openStore }) => {
      const store = openStore();
      for (const [reason, make] of Object.entries(skipped)) {
        const result = await store.import([make() as object, envelopeOf(reason, "1")]);
        assert.deepEqual(result, { imported: 1, skipped: 1 }, reason);
      }
      assert.sameMembers(await store.listKeys(), Object.keys(skipped));
    },
  },
  {
    title: "The names of an object's prototype are names like any other in an envelope",
    run: async ({ openStore }) => {
      const store = openStore();
      const line =
        '{"operation":"store","key":"__proto__","value":"{\\"__proto__\\":{\\"a\\":1}}","metadata":{"format":"json","version":1,"updated_at":"2026-01-02T03:04:05Z","__proto__":{"ttl":5},"constructor":1}}';
      assert.deepEqual(await store.import([JSON.parse(line) as object]), { imported: 1, skipped: 0 });
      assert.isUndefined(({} as { a?: unknown }).a);
      assert.equal((await store.getMetadata("__proto__"))?.ttl, null);
    },
  },
  {
    title: "An import accepts envelopes of the Python original: MD5 or no checksum, microseconds, local times",
    run: async ({ openStore }) => {
      const store = openStore();
      const metadata = { created_at: "2026-01-02T03:04:05.678901", updated_at: "2026-01-02T03:04:06.123456", ttl: null, tags: ["t"] };
      const md5 = { ...metadata, checksum: "c4ca4238a0b923820dcc509a6f75849b" };
      const result = await store.import([envelopeOf("md5", "1", md5), envelopeOf("none", "1", { ...metadata, checksum: null })]);
      assert.deepEqual(result, { imported: 2, skipped: 0 });
      assert.deepInclude(await store.getMetadata("md5"), {
        checksum: SHA_OF_1,
        size: 1,
        createdAt: new Date("2026-01-02T03:04:05.678"),
        updatedAt: new Date("2026-01-02T03:04:06.123"),
      });
      assert.deepEqual(await store.bulkRetrieve(["md5", "none"], { useCache: false }), new Map(Object.entries({ md5: 1, none: 1 })));
    },
  },
  {
    title: "The higher version wins, then the later updated_at, and the order of the envelopes does not matter",
    run: async ({ openStore }) => {
      const at = (version: number, second: number) => ({ version, updated_at: `2026-01-02T03:04:0${second}Z` });
      const envelopes = [
        envelopeOf("k", '"low"', at(1, 9)),
        envelopeOf("k", '"early"', at(3, 1)),
        envelopeOf("k", '"wins"', at(3, 2)),
        envelopeOf("k", '"middle"', at(2, 5)),
      ];
      for (const [index, order] of [envelopes, envelopes.toReversed(), [...envelopes.slice(2), ...envelopes.slice(0, 2)]].entries()) {
        const store = openStore({ cacheSize: index * 10 });
        for (const envelope of order) await store.import([envelope]);
        assert.equal(await store.retrieve("k"), "wins");
        assert.deepEqual(await store.import(order), { imported: 0, skipped: 4 });
        await store.clearCache();
        await store.import(order);
        assert.equal(await store.retrieve("k"), "wins");
        assert.equal((await store.getMetadata("k"))?.version, 3);
        await store.clearCache();
      }
    },
  },
  {
    title: "An import keeps a ttl that is running, and the entry expires",
    run: async ({ openStore, setClock }) => {
      const now = Date.now();
      setClock(now);
      const store = openStore();
      const updated_at = new Date(now - 5_000).toISOString();
      await store.import([
        envelopeOf("written", "1", { ttl: 10, updated_at }),
        envelopeOf("touched", "1", { ttl: 10, updated_at, expires_at: new Date(now + 60_000).toISOString() }),
      ]);
      assert.deepEqual((await store.getMetadata("written"))?.expiresAt, new Date(now + 5_000));
      setClock(now + 5_000);
      assert.deepEqual(await store.listKeys(), ["touched"]);
      assert.isUndefined(await store.retrieve("written"));
      assert.equal(await store.retrieve("touched"), 1);
    },
  },
  {
    title: "A write after an import continues from its version, or above the versions that the key had here, and is published",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.import([envelopeOf("new", "1", { version: 7 })]);
      for (let n = 1; n <= 3; n++) await store.store("again", n);
      const envelopes = await exported(store, "again");
      for (let n = 4; n <= 5; n++) await store.store("again", n);
      await store.delete("again");
      await untilPublished(store);
      assert.deepEqual(await store.import(envelopes), { imported: 1, skipped: 0 });
      assert.equal(await store.retrieve("again"), 3);
      assert.equal((await store.getMetadata("again"))?.version, 3);
      await store.store("new", 2, { ifVersion: 7 });
      await store.store("again", 9);
      assert.equal((await store.getMetadata("new"))?.version, 8);
      assert.isAbove((await store.getMetadata("again"))?.version ?? 0, 6);
      const sent = (await server.messages()).filter(({ envelope }) => envelope?.key === "new");
      assert.lengthOf(sent, 1);
    },
  },
  {
    title: "An import does not replace a write that waits for the server, though its version is higher, and the write is published",
    outage: true,
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("deleted", "old");
      await untilPublished(store);
      await server.disconnect();
      assert.isFalse(await store.store("k", "local"));
      await store.delete("deleted");
      const envelopes = [envelopeOf("k", '"imported"', { version: 99 }), envelopeOf("deleted", '"imported"', { version: 99 })];
      assert.deepEqual(await store.import(envelopes), { imported: 0, skipped: 2 });
      assert.equal(await store.retrieve("k"), "local");
      assert.isFalse(await store.exists("deleted"));
      await server.restore();
      await untilPublished(store);
      const last = (await server.messages()).slice(-2).map(({ envelope }) => [envelope?.key, envelope?.operation]);
      assert.sameDeepMembers(last, [
        ["k", "store"],
        ["deleted", "delete"],
      ]);
      assert.deepEqual(await store.import(envelopes), { imported: 2, skipped: 0 });
      assert.equal(await store.retrieve("k"), "imported");
    },
  },
  {
    title: "Every store of the page and of another tab reads an imported entry in place of what its memory had, and reports the change",
    run: async ({ openStore, openTab }) => {
      const [store, other] = [openStore(), openStore()];
      const tab = await openTab();
      await store.store("k", "old");
      for (const reader of [store, other, tab]) assert.equal(await reader.retrieve("k"), "old");
      const envelope = envelopeOf("k", '"new"', { version: 5 });
      const [changes, otherChanges] = [details(store, "change"), details(other, "change")];
      assert.deepEqual(await store.import([envelope]), { imported: 1, skipped: 0 });
      for (const reader of [store, other]) assert.equal(await reader.retrieve("k"), "new");
      await until("the tab knows of the import", async () => (await tab.retrieve("k")) === "new");
      assert.deepEqual(await tab.import([envelopeOf("k", '"newer"', { version: 6 })]), { imported: 1, skipped: 0 });
      await until("the store knows of the tab's import", async () => (await store.retrieve("k")) === "newer");
      for (const seen of [changes, otherChanges]) {
        assert.deepEqual<object[]>(seen, [
          { key: "k", type: "store", source: "remote", version: 5 },
          { key: "k", type: "store", source: "tab", version: 6 },
        ]);
      }
    },
  },
];
