import { assert } from "chai";
import type { ContractCase, Environment } from "../environment.ts";
import { assertRejects } from "../support/assertions.ts";
import { details } from "../support/events.ts";
import { decrypted, newKey } from "../support/keys.ts";
import { rawDatabase } from "../support/raw-database.ts";
import { until, untilPublished } from "../support/waiting.ts";

const SECRET = "the secret value";

/** Everything that the database holds of an entry, as text. */
async function stored({ database }: Pick<Environment, "database">, key: string): Promise<string> {
  let text = "";
  await database.changeRow(key, (row) => {
    const { payload } = row;
    text = JSON.stringify({ ...row, payload: typeof payload === "string" ? payload : String.fromCharCode(...payload) });
  });
  return text;
}

/** The option `encryption`. */
export const encryption: readonly ContractCase[] = [
  {
    title: "An encrypted store returns every format, compressed or not, and its rows do not show the value",
    run: async ({ openStore, database }) => {
      const key = await newKey();
      for (const compression of [false, { thresholdBytes: 0 }]) {
        const store = openStore({ encryption: { key }, compression });
        await store.store("json", { a: SECRET });
        await store.store("text", SECRET.repeat(10), { format: "text" });
        await store.store("binary", new TextEncoder().encode(SECRET), { format: "binary" });
        await store.store("structured", new Map([[SECRET, 1n]]), { format: "structured" });
        const reader = openStore({ encryption: { key } });
        assert.deepEqual(await reader.retrieve("json"), { a: SECRET });
        assert.equal(await reader.retrieve("text"), SECRET.repeat(10));
        assert.equal(new TextDecoder().decode((await reader.retrieve("binary")) as Uint8Array<ArrayBuffer>), SECRET);
        assert.deepEqual(await reader.retrieve("structured"), new Map([[SECRET, 1n]]));
        for (const name of ["json", "text", "binary", "structured"]) {
          assert.notInclude(await stored({ database }, name), SECRET);
          assert.isTrue((await reader.getMetadata(name))?.encrypted);
        }
      }
    },
  },
  {
    title: "An encrypted entry keeps its metadata, and its checksum is not that of the value",
    run: async ({ openStore }) => {
      const [plain, store] = [openStore(), openStore({ encryption: { key: await newKey() }, defaultTtl: 60 })];
      await plain.store("plain", SECRET);
      await store.store("k", SECRET, { tags: ["a"] });
      const [expected, metadata] = [(await plain.getMetadata("plain"))!, (await store.getMetadata("k"))!];
      assert.deepInclude(metadata, { format: "json", size: expected.size, version: 1, ttl: 60, tags: ["a"], encrypted: true });
      assert.isFalse(expected.encrypted);
      assert.match(metadata.checksum, /^[0-9a-f]{64}$/);
      assert.notEqual(metadata.checksum, expected.checksum);
      assert.deepEqual(await store.listKeys("*", { tag: "a" }), ["k"]);
      assert.isTrue(await store.exists("k"));
      await store.store("k", SECRET);
      assert.notEqual((await store.getMetadata("k"))?.checksum, metadata.checksum, "the same value has another ciphertext");
    },
  },
  {
    title: "update, ifVersion and bulk calls work on encrypted entries, also on those in blocks",
    run: async ({ openStore, library }) => {
      const encryption = { key: await library.deriveKey("passphrase", "salt", { iterations: 1 }) };
      const store = openStore({ encryption });
      const values = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, index]));
      await store.bulkStore(values);
      await store.update("k1", "new");
      assert.isTrue(await openStore().touch("k4", 1000), "touch needs no key");
      await assertRejects(store.store("k2", "lost", { ifVersion: 2 }), "VERSION_CONFLICT");
      assert.isTrue(await store.store("k2", "won", { ifVersion: 1 }));
      const found = await openStore({ encryption }).bulkRetrieve(Object.keys(values));
      assert.deepEqual(found, new Map(Object.entries({ ...values, k1: "new", k2: "won" })));
      assert.isTrue(await store.delete("k3"));
      assert.isUndefined(await openStore({ encryption }).retrieve("k3"));
    },
  },
  {
    title: "A message carries the value in plain text, with its checksum, unless messages is true",
    run: async ({ openStore, server }) => {
      const plain = openStore({ compression: { thresholdBytes: 100 } });
      const store = openStore({ encryption: { key: await newKey() }, compression: { thresholdBytes: 100 } });
      const values: readonly unknown[] = [{ a: SECRET }, "x".repeat(1000)];
      for (const value of values) {
        await plain.store("k", value);
        await store.store("k", value);
      }
      const messages = (await server.messages()).map(({ envelope }) => envelope);
      for (const [index] of values.entries()) {
        const [expected, actual] = [messages[2 * index], messages[2 * index + 1]];
        const { version: _v, created_at: _c, updated_at: _u, ...facts } = expected!.metadata!;
        assert.deepEqual(actual?.value, expected?.value);
        assert.deepInclude(actual?.metadata, facts);
        assert.notProperty(actual?.metadata, "encryption");
      }
    },
  },
  {
    title: "With messages: true, a message carries the ciphertext, which its reader decrypts with the key",
    run: async ({ openStore, server, namespace }) => {
      const key = await newKey();
      const store = openStore({ encryption: { key, messages: true }, compression: { thresholdBytes: 1000 } });
      await store.store("user:1", { a: SECRET }, { tags: ["t"] });
      await store.store("bytes", new Uint8Array([1, 2, 3]), { format: "binary" });
      await store.store("long", "x".repeat(10_000), { format: "text" });
      // So long that the text is quoted to measure the message.
      const uncompressed = openStore({ encryption: { key, messages: true } });
      await uncompressed.store("longer", SECRET.repeat(10_000), { format: "text" });
      const messages = await server.messages();
      for (const { envelope } of messages) {
        assert.notInclude(JSON.stringify(envelope), SECRET);
        assert.deepEqual(Object.keys(envelope?.metadata?.encryption ?? {}), ["algorithm", "key_id", "nonce"]);
        assert.equal(envelope?.metadata?.checksum, (await store.getMetadata(envelope!.key))?.checksum);
      }
      const [json, bytes, long, longer] = await Promise.all(messages.map(({ envelope }) => decrypted(envelope!, namespace, key)));
      assert.equal(new TextDecoder().decode(json), JSON.stringify({ a: SECRET }));
      assert.deepEqual(bytes, new Uint8Array([1, 2, 3]));
      assert.equal(messages[2]?.envelope?.metadata?.encoding, "gzip");
      assert.deepEqual(long!.slice(0, 2), new Uint8Array([0x1f, 0x8b]), "what is decrypted is gzip");
      assert.equal(new TextDecoder().decode(longer), SECRET.repeat(10_000));
    },
  },
  {
    title: "maxPayloadBytes limits the message as it is published: the ciphertext with messages: true, else the plain text",
    run: async ({ openStore }) => {
      const key = await newKey();
      const value = new Uint8Array(1000);
      const size = async (messages: boolean): Promise<number> => {
        const store = openStore({ encryption: { key, messages }, maxPayloadBytes: 1100 });
        const { message } = await assertRejects(store.store("k", value, { format: "binary" }), "PAYLOAD_TOO_LARGE");
        return Number(/\d+/.exec(message)?.[0]);
      };
      const [plain, encrypted] = [await size(false), await size(true)];
      assert.isAbove(encrypted, plain + 16);
      const open = (maxPayloadBytes: number, messages: boolean) => openStore({ encryption: { key, messages }, maxPayloadBytes });
      assert.isTrue(await open(plain, false).store("k", value, { format: "binary" }));
      await assertRejects(open(encrypted - 1, true).store("k", value, { format: "binary" }), "PAYLOAD_TOO_LARGE");
      assert.isTrue(await open(encrypted, true).store("k", value, { format: "binary" }));
    },
  },
  {
    title: "Without its key an entry rejects DECRYPT_FAILED and is kept: with the key it is readable again",
    run: async ({ openStore, database }) => {
      const key = await newKey();
      await openStore({ encryption: { key } }).bulkStore({ k: SECRET, other: 1 });
      const before = await stored({ database }, "k");
      for (const options of [{}, { encryption: { key: await newKey() } }, { encryption: { key: [await newKey(), await newKey()] } }]) {
        const store = openStore(options);
        const corrupt = details(store, "corrupt");
        assert.equal((await assertRejects(store.retrieve("k"), "DECRYPT_FAILED")).key, "k");
        await assertRejects(store.retrieve("k", { useCache: false }), "DECRYPT_FAILED");
        assert.equal((await assertRejects(store.bulkRetrieve(["absent", "k"]), "DECRYPT_FAILED")).key, "k");
        assert.isTrue(await store.exists("k"));
        assert.deepInclude(await store.getMetadata("k"), { version: 1, encrypted: true });
        assert.isEmpty(corrupt);
      }
      assert.equal(await stored({ database }, "k"), before);
      assert.equal(await openStore({ encryption: { key } }).retrieve("k"), SECRET);
    },
  },
  {
    title: "An entry that was stored without encryption stays readable in an encrypted store, and is encrypted when it is stored again",
    run: async ({ openStore, database }) => {
      await openStore().store("k", SECRET);
      const store = openStore({ encryption: { key: await newKey() } });
      assert.equal(await store.retrieve("k"), SECRET);
      assert.isFalse((await store.getMetadata("k"))?.encrypted);
      await store.update("k", SECRET);
      assert.isTrue((await store.getMetadata("k"))?.encrypted);
      assert.notInclude(await stored({ database }, "k"), SECRET);
    },
  },
  {
    title: "With a list of keys the first one encrypts and all decrypt, until every entry has been stored again",
    run: async ({ openStore }) => {
      const [old, next] = [await newKey(), await newKey()];
      await openStore({ encryption: { key: old } }).bulkStore({ a: 1, b: 2 });
      const rotating = openStore({ encryption: { key: [next, old] } });
      assert.deepEqual(await rotating.bulkRetrieve(["a", "b"]), new Map([["a", 1], ["b", 2]])); // prettier-ignore
      await rotating.update("a", 1);
      const rotated = openStore({ encryption: { key: next } });
      assert.equal(await rotated.retrieve("a"), 1);
      await assertRejects(rotated.retrieve("b"), "DECRYPT_FAILED");
      await rotating.update("b", 2);
      assert.equal(await rotated.retrieve("b"), 2);
    },
  },
  {
    title: "A function that returns the key is called once, by the first operation that needs it",
    run: async ({ openStore }) => {
      const key = await newKey();
      let calls = 0;
      const source = async (): Promise<CryptoKey> => (calls++, key);
      const store = openStore({ encryption: { key: source } });
      await store.listKeys();
      assert.isUndefined(await store.retrieve("k"));
      assert.equal(calls, 0);
      await Promise.all([store.store("k", SECRET), store.bulkStore({ other: 1 })]);
      assert.equal(await store.retrieve("k", { useCache: false }), SECRET);
      assert.equal(calls, 1);
    },
  },
  {
    title: "While the function that returns the key fails, writes reject DECRYPT_FAILED and change nothing; the next call asks it again",
    run: async ({ openStore, server, database }) => {
      const key = await newKey();
      let isLocked = true;
      const source = (): CryptoKey => {
        if (isLocked) throw new Error("locked");
        return key;
      };
      const store = openStore({ encryption: { key: source } });
      await openStore().store("k", "before");
      const { length } = await server.messages();
      for (const write of [() => store.store("k", 1), () => store.update("k", 1), () => store.bulkStore({ a: 1, k: 1 })]) {
        assert.equal(((await assertRejects(write(), "DECRYPT_FAILED")).cause as Error).message, "locked");
      }
      assert.deepEqual(await database.keys(), ["k"]);
      assert.equal(await openStore().retrieve("k"), "before");
      assert.lengthOf(await server.messages(), length);
      isLocked = false;
      assert.isTrue(await store.store("k", SECRET));
      isLocked = true;
      const other = openStore({ encryption: { key: source } });
      await assertRejects(other.retrieve("k"), "DECRYPT_FAILED");
      isLocked = false;
      assert.equal(await other.retrieve("k"), SECRET);
    },
  },
  {
    title: "A function that returns something other than an AES-GCM key makes writes reject INVALID_OPTION and change nothing",
    run: async ({ openStore, database }) => {
      await openStore().store("other", 1);
      for (const source of [() => "secret", () => undefined, async () => ({})]) {
        const store = openStore({ encryption: { key: source as unknown as () => CryptoKey } });
        for (const write of [() => store.store("k", 1), () => store.bulkStore({ k: 1 })]) {
          assert.equal((await assertRejects(write(), "INVALID_OPTION")).option, "encryption");
        }
      }
      assert.deepEqual(await database.keys(), ["other"]);
    },
  },
  {
    title: "An aborted signal ends the wait for the key, and later writes of the key are not blocked",
    run: async ({ openStore }) => {
      let answer: (key: CryptoKey) => void = () => undefined;
      const key = new Promise<CryptoKey>((resolve) => (answer = resolve));
      const store = openStore({ encryption: { key: () => key } });
      const controller = new AbortController();
      const aborted = store.store("k", "aborted", { signal: controller.signal });
      const later = store.store("k", "later");
      const reason = new Error("no longer needed");
      controller.abort(reason);
      let thrown: unknown;
      await aborted.catch((error: unknown) => (thrown = error));
      assert.strictEqual(thrown, reason);
      answer(await newKey());
      assert.isTrue(await later);
      assert.equal(await store.retrieve("k", { useCache: false }), "later");
    },
  },
  {
    title:
      "A changed ciphertext rejects CHECKSUM_MISMATCH with a `corrupt` event, bulkRetrieve leaves it out, and storing it again repairs it",
    run: async ({ openStore, database }) => {
      const encryption = { key: await newKey() };
      await openStore({ encryption }).bulkStore({ k: SECRET, other: 1 });
      await database.flipBit("k");
      const store = openStore({ encryption });
      const corrupt = details(store, "corrupt");
      await assertRejects(store.retrieve("k"), "CHECKSUM_MISMATCH");
      assert.deepEqual(await store.bulkRetrieve(["k", "other"]), new Map([["other", 1]]));
      assert.lengthOf(corrupt, 2);
      await store.store("k", "new");
      assert.equal(await openStore({ encryption }).retrieve("k"), "new");
    },
  },
  {
    title:
      "The ciphertext of another key or namespace rejects DECRYPT_FAILED with a `corrupt` event, and the entry it was copied from is kept",
    run: async ({ openStore, database, library, namespace }) => {
      const encryption = { key: await newKey() };
      const store = openStore({ encryption });
      await store.store("a", "of a", { format: "text" });
      await store.store("b", "of b", { format: "text" });
      const elsewhere = openStore({ encryption, namespace: `${namespace}-2` });
      await elsewhere.store("a", "of x", { format: "text" });

      for (const [source, from] of [
        [database, "b"],
        [rawDatabase(`${namespace}-2`), "a"],
      ] as const) {
        // prettier-ignore
        let copied: object = {};
        await source.changeRow(from, ({ payload, checksum, encryption: how }) => (copied = { payload, checksum, encryption: how }));
        await database.changeRow("a", (row) => Object.assign(row, copied));
        const reader = openStore({ encryption });
        const corrupt = details(reader, "corrupt");
        assert.equal((await assertRejects(reader.retrieve("a"), "DECRYPT_FAILED")).key, "a");
        assert.lengthOf(corrupt, 1);
        assert.deepEqual(await reader.bulkRetrieve(["a", "b"]), new Map([["b", "of b"]]));
      }
      await elsewhere.close();
      await library.destroyNamespace(`${namespace}-2`);
    },
  },
  {
    title: "Two stores of a page with different keys read their own entries, and memory does not pass a value from one to the other",
    run: async ({ openStore }) => {
      const [one, other, plain] = [
        openStore({ encryption: { key: await newKey() } }),
        openStore({ encryption: { key: await newKey() } }),
        openStore(),
      ];
      await one.store("k", SECRET);
      assert.equal(await one.retrieve("k"), SECRET);
      for (const store of [other, plain]) await assertRejects(store.retrieve("k"), "DECRYPT_FAILED");
      await other.store("k", "replaced");
      assert.equal(await other.retrieve("k"), "replaced");
      await assertRejects(one.retrieve("k"), "DECRYPT_FAILED");
    },
  },
  {
    title: "Queued writes of an encrypted store are published in plain text, or as the ciphertext with messages: true",
    outage: true,
    run: async ({ openStore, server, namespace }) => {
      await server.disconnect();
      const key = await newKey();
      const [plain, secret] = [openStore({ encryption: { key } }), openStore({ encryption: { key, messages: true } })];
      assert.isFalse(await plain.store("plain", SECRET, { format: "text" }));
      assert.isFalse(await secret.store("secret", SECRET, { format: "text" }));
      await Promise.all([plain.close(), secret.close()]);
      const later = openStore({ encryption: { key: async () => key } });
      await server.restore();
      await untilPublished(later);
      const messages = new Map((await server.messages()).map(({ envelope }) => [envelope!.key, envelope!]));
      assert.equal(messages.get("plain")?.value, SECRET);
      assert.notProperty(messages.get("plain")?.metadata, "encryption");
      assert.notInclude(JSON.stringify(messages.get("secret")), SECRET);
      assert.equal(new TextDecoder().decode(await decrypted(messages.get("secret")!, namespace, key)), SECRET);
    },
  },
  {
    title:
      "A queued write whose key is missing waits, with DECRYPT_FAILED as its error, while others are published, until a store has the key",
    outage: true,
    run: async ({ openStore, server }) => {
      await server.disconnect();
      const key = await newKey();
      const writer = openStore({ encryption: { key } });
      assert.isFalse(await writer.store("locked", SECRET, { format: "text" }));
      await writer.close();
      const store = openStore();
      await store.store("open", 1);
      await server.restore();
      await until("the other write is published", async () => (await store.flush()).pending === 1);
      await until("the error is listed", async () => (await store.pendingWrites())[0]?.lastError !== undefined);
      const [waiting] = await store.pendingWrites();
      assert.deepInclude(waiting, { key: "locked", rejected: false });
      assert.match(waiting?.lastError ?? "", /^DECRYPT_FAILED: /);
      assert.isTrue(await store.store("open", 2), "other writes are confirmed");
      assert.deepInclude(await store.getMetadata("locked"), { pending: true, rejected: false });

      await untilPublished(openStore({ encryption: { key } }));
      assert.deepEqual(await store.pendingWrites(), []);
      const values = (await server.messages()).flatMap(({ envelope }) => (envelope?.key === "locked" ? [envelope.value] : []));
      assert.deepEqual(values, [SECRET]);
    },
  },
  {
    title: "The write of an encrypted store that another tab publishes needs the key in that tab, or waits for its own",
    outage: true,
    run: async ({ openStore, openTab, server }) => {
      await server.disconnect();
      const key = await newKey();
      const tab = await openTab({ encryption: { key } });
      assert.isFalse(await tab.store("k", SECRET, { format: "text" }));
      const other = openStore();
      await server.restore();
      assert.equal((await other.flush()).rejected, 0);
      await untilPublished(tab);
      assert.deepEqual(
        (await server.messages()).map(({ envelope }) => envelope?.value),
        [SECRET],
      );
      assert.deepEqual(await other.pendingWrites(), []);
    },
  },
  {
    title: "An exported encrypted entry is a ciphertext, and is readable with the key where it is imported into the same namespace",
    run: async ({ openStore }) => {
      const encryption = { key: await newKey() };
      const store = openStore({ encryption });
      await store.store("entry", SECRET);
      await openStore({ encryption: { ...encryption, messages: true } }).store("message", SECRET);
      const envelopes: object[] = [];
      for await (const envelope of store.export()) envelopes.push(envelope);
      assert.lengthOf(envelopes, 2);
      assert.notInclude(JSON.stringify(envelopes), SECRET);
      await store.flush();
      await store.clearCache();
      const importing = openStore({ encryption });
      assert.isEmpty(await importing.listKeys());
      assert.deepEqual(await importing.import(envelopes), { imported: 2, skipped: 0 });
      assert.equal(await importing.retrieve("entry"), SECRET);
      assert.equal(await importing.retrieve("message"), SECRET);
    },
  },
  {
    title: "deriveKey gives the same key for the same passphrase and salt, and it cannot be exported",
    run: async ({ openStore, library: { deriveKey } }) => {
      const derive = (passphrase: string, salt: string): Promise<CryptoKey> => deriveKey(passphrase, salt, { iterations: 1000 });
      const key = await derive("passphrase", "salt");
      assert.isFalse(key.extractable);
      await openStore({ encryption: { key } }).store("k", SECRET);
      assert.equal(await openStore({ encryption: { key: () => derive("passphrase", "salt") } }).retrieve("k"), SECRET);
      for (const other of [derive("Passphrase", "salt"), derive("passphrase", "Salt")]) {
        await assertRejects(openStore({ encryption: { key: await other } }).retrieve("k"), "DECRYPT_FAILED");
      }
      assert.equal((await assertRejects(deriveKey("", "salt"), "INVALID_OPTION")).option, "passphrase");
      assert.equal((await assertRejects(deriveKey("passphrase", ""), "INVALID_OPTION")).option, "salt");
      assert.equal((await assertRejects(deriveKey("passphrase", "salt", { iterations: 0 }), "INVALID_OPTION")).option, "iterations");
    },
  },
];
