import { assert } from "chai";
import type { NASKeyStore } from "nas-keystore";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects, firstStep, rejection } from "../support/assertions.ts";
import { asynchronously, envelopeOf, exported } from "../support/envelopes.ts";
import { details } from "../support/events.ts";
import { oddValues } from "../support/odd-values.ts";
import { assertSameValue } from "../support/same-value.ts";
import { block } from "./situations.ts";

/** A store of other entries: another browser. */
function openSource({ openStore, namespace }: Environment, options = {}): NASKeyStore {
  return openStore({ ...options, namespace: `${namespace}-source` });
}

/** Entries as envelopes. */
export const exportImport: readonly ContractCase[] = [
  ...(["json", "text", "binary", "structured"] as const).map((format) => ({
    title: `An import of an export has the same values and metadata, for each value that ${format} keeps`,
    run: async (environment: Environment) => {
      const source = openSource(environment, { compression: { thresholdBytes: 40 } });
      const values = (await oddValues()).filter(({ formats }) => formats.includes(format));
      for (const { name, make } of values) await source.store(name, make(), { format, tags: [format] });
      const envelopes = await exported(source);
      assert.lengthOf(envelopes, values.length);

      const store = environment.openStore();
      assert.deepEqual(await store.import(envelopes), { imported: values.length, skipped: 0 });
      const keys = values.map(({ name }) => name);
      const [expected, found] = [await source.bulkRetrieve(keys), await store.bulkRetrieve(keys, { useCache: false })];
      for (const key of keys) {
        assertSameValue(found.get(key), expected.get(key), key);
        assert.deepEqual(await store.getMetadata(key), { ...(await source.getMetadata(key))!, pending: false });
      }
      assert.deepEqual(await environment.server.messages(), []);
    },
  })),
  {
    title: "An export has the living entries of a pattern in key order, in blocks and alone, and reports its progress",
    run: async ({ openStore, setClock }) => {
      const store = openStore();
      await store.bulkStore(block);
      await store.store("k30a", "text", { format: "text" });
      await store.store("k99", 1, { ttl: 1 });
      await store.delete("k05");
      setClock(Date.now() + 2_000);
      const keys = (await exported(store)).map(({ key }) => key);
      assert.deepEqual(keys, [...Object.keys(block), "k30a"].filter((key) => key !== "k05").toSorted());
      assert.deepEqual(keys, await store.listKeys());
      assert.deepEqual(
        (await exported(store, "k3?a")).map(({ key, value }) => [key, value]),
        [["k30a", "text"]],
      );
      const progress: number[] = [];
      for await (const _ of store.export("k3*", { onProgress: (done) => progress.push(done) }));
      assert.equal(progress.at(-1), 11);
    },
  },
  {
    title: "An exported envelope is the published one, with the time of its expiry",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.store("plain", { a: "ä" });
      await store.store("expires", new Uint8Array([1, 2]), { format: "binary", ttl: 60, tags: ["a", "b"] });
      const messages = await server.waitForMessages(2);
      for (const envelope of await exported(store)) {
        const message = messages.find(({ envelope: sent }) => sent?.key === envelope.key)?.envelope;
        const { expires_at: expiresAt, ...metadata } = envelope.metadata;
        assert.deepEqual<unknown>({ ...envelope, metadata }, message);
        const expected = (await store.getMetadata(envelope.key))?.expiresAt?.toISOString();
        assert.equal(expiresAt, expected);
      }
      // Messages are envelopes, too.
      const envelopes = messages.map(({ envelope }) => envelope as object);
      const target = openStore({ namespace: `messages-${Math.random()}` });
      assert.deepEqual(await target.import(envelopes), { imported: 2, skipped: 0 });
      assert.deepEqual(await target.retrieve("expires"), new Uint8Array([1, 2]));
      assert.deepEqual((await target.getMetadata("expires"))?.expiresAt, (await store.getMetadata("expires"))?.expiresAt);
    },
  },
  {
    title: "An export leaves out damaged entries and dispatches `corrupt`; an import of a sound copy repairs them",
    run: async ({ openStore, database }) => {
      const store = openStore();
      await store.bulkStore(block);
      const envelopes = await exported(store);
      await database.flipBit("k07");
      const corrupt = details(store, "corrupt");
      assert.lengthOf(await exported(store), 63);
      assert.deepEqual(
        corrupt.map(({ key, error }) => [key, error.code]),
        [["k07", "CHECKSUM_MISMATCH"]],
      );
      assert.deepEqual(await store.import(envelopes), { imported: 1, skipped: 63 });
      assert.equal(await store.retrieve("k07"), "old");
    },
  },
  {
    title: "A second import changes nothing, and an import from an async iterable is the same",
    run: async ({ openStore, server }) => {
      const store = openStore();
      await store.bulkStore(block);
      await store.flush();
      const envelopes = await exported(store);
      assert.deepEqual(await store.import(envelopes), { imported: 0, skipped: 64 });
      await store.clearCache();
      assert.deepEqual(await store.listKeys(), []);
      const progress: number[] = [];
      const result = await store.import(asynchronously(envelopes), { onProgress: (done) => progress.push(done) });
      assert.deepEqual(result, { imported: 64, skipped: 0 });
      assert.equal(progress.at(-1), 64);
      assert.deepEqual(await exported(store), envelopes);
      assert.lengthOf(await server.messages(), 64);
    },
  },
  {
    title: "Export and import work offline",
    outage: true,
    run: async (environment) => {
      const { openStore, server } = environment;
      await server.disconnect();
      const source = openSource(environment);
      await source.store("a", 1);
      const store = openStore();
      assert.deepEqual(await store.import(source.export()), { imported: 1, skipped: 0 });
      assert.equal(await store.retrieve("a"), 1);
      assert.deepEqual(await store.pendingWrites(), []);
    },
  },
  {
    title: "Export and import reject or skip invalid arguments as documented",
    run: async ({ openStore }) => {
      const store = openStore();
      for (const invalid of [undefined, null, 5, "[]", {}, new Date(), () => []]) {
        await assertRejects(store.import(invalid as never), "INVALID_VALUE");
      }
      const error = await assertRejects(firstStep(store.export(5 as never)) as Promise<unknown>, "INVALID_OPTION");
      assert.equal(error.option, "pattern");
      await assertRejects(store.import([], { onProgress: 1 as never }), "INVALID_OPTION");
      assert.deepEqual(await store.import([]), { imported: 0, skipped: 0 });
      assert.deepEqual(await store.import(new Map([[1, 2]]) as never), { imported: 0, skipped: 1 });
    },
  },
  {
    title: "An iterable that throws ends an import with INVALID_VALUE; what was imported before stays, and the error tells how much",
    run: async ({ openStore }) => {
      const store = openStore();
      const cause = new Error("no more");
      async function* failing(): AsyncGenerator<object, void, undefined> {
        for (let n = 0; n < 300; n++) yield envelopeOf(`k${n}`, "1");
        throw cause;
      }
      const error = await assertRejects(store.import(failing()), "INVALID_VALUE");
      assert.strictEqual(error.cause, cause);
      assert.include(error.message, "Entries imported before: 256.");
      assert.lengthOf(await store.listKeys(), 256);
    },
  },
  {
    title: "An aborted import keeps the imported entries, rejects with the reason, and closes the iterator, even if that never answers",
    run: async ({ openStore }) => {
      const store = openStore();
      const reason = new Error("enough");
      const controller = new AbortController();
      let closed = 0;
      let n = 0;
      const iterator: AsyncIterator<object> = {
        next: async () => {
          if (n === 256) setTimeout(() => controller.abort(reason));
          return n < 300 ? { value: envelopeOf(`k${n++}`, "1") } : new Promise(() => undefined);
        },
        return: async () => {
          closed++;
          return { done: true, value: undefined };
        },
      };
      const importing = store.import({ [Symbol.asyncIterator]: () => iterator }, { signal: controller.signal });
      assert.strictEqual<unknown>(await rejection(importing), reason);
      assert.equal(closed, 1);
      const keys = await store.listKeys();
      assert.include([0, 256], keys.length);
      await Promise.resolve();
      assert.deepEqual(await store.listKeys(), keys);
    },
  },
  {
    title: "An aborted export rejects with the reason at its next step",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(block);
      const reason = new Error("enough");
      const controller = new AbortController();
      const iterator = store.export("*", { signal: controller.signal })[Symbol.asyncIterator]();
      assert.isFalse((await iterator.next()).done);
      controller.abort(reason);
      assert.strictEqual<unknown>(await rejection(iterator.next()), reason);
    },
  },
  {
    title: "close ends an export that is not finished, and waits for an import",
    run: async ({ openStore }) => {
      const store = openStore();
      await store.bulkStore(block);
      const iterator = store.export()[Symbol.asyncIterator]();
      await iterator.next();
      const importing = store.import(asynchronously(Array.from({ length: 300 }, (_, n) => envelopeOf(`i${n}`, "1"))));
      await store.close();
      await assertRejects(iterator.next() as Promise<unknown>, "CLOSED");
      assert.deepEqual(await importing, { imported: 300, skipped: 0 });
      assert.lengthOf(await openStore().listKeys("i*"), 300);
    },
  },
  {
    title: "Limits hold after an import: the least recently used entries are evicted",
    run: async ({ openStore }) => {
      const store = openStore({ maxEntries: 10 });
      await store.import(Array.from({ length: 40 }, (_, n) => envelopeOf(`k${n}`, "1")));
      await store.close();
      const { entries } = await openStore().getStorageStats();
      assert.equal(entries, 10);
    },
  },
];
