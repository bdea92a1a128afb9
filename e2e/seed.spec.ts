import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { expectDelete, expectStore, messageIds } from "./support/messages.ts";

/** The README of the Python original in its order: the results of each call, and the message that another client reads. */

test.describe("quick start", () => {
  test("a store connects, stores, retrieves and deletes", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => ({
      alive: await store.ping(),
      stored: await store.store("user:123", { name: "Alice", age: 30 }),
      user: await store.retrieve("user:123"),
      deleted: await store.delete("user:123"),
      gone: (await store.retrieve("user:123")) === undefined,
    }));
    expect(seen).toEqual({ alive: true, stored: true, user: { name: "Alice", age: 30 }, deleted: true, gone: true });

    const messages = await wire.waitFor(2);
    expectStore(messages[0], { namespace, key: "user:123", payload: '{"name":"Alice","age":30}' });
    expectDelete(messages[1], { namespace, key: "user:123", version: 2 });
    expect(messages[0]?.subject).toBe(`_kv.${namespace}.key.user:123`);
    expect(new Set(messageIds(messages)).size).toBe(2);
    expect(await wire.settled()).toHaveLength(2);
  });

  test("a store accepts servers, namespace and cache size", async ({ page, nats, namespace, wire }) => {
    await openStoreIn(page, { servers: [nats.wsUrl], namespace: `${namespace}.of.tokens`, cacheSize: 7 });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
    expect(await page.evaluate(() => store.getCacheStats().maxSize)).toBe(7);
    expectStore((await wire.waitFor(1))[0], { namespace: `${namespace}.of.tokens`, key: "a", payload: "1" });
  });

  test("a store has defaults for all options", async ({ page }) => {
    const stats = await page.evaluate(() => new keystore.NASKeyStore().getCacheStats());
    expect(stats).toEqual({ size: 0, maxSize: 100, memoryUsage: 0, hits: 0, misses: 0, evictions: 0, keys: [] });
  });
});

test.describe("store", () => {
  test("store publishes JSON data", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    expect(await page.evaluate(() => store.store("config", { debug: true }))).toBe(true);
    expectStore((await wire.waitFor(1))[0], { namespace, key: "config", payload: '{"debug":true}' });
  });

  test("store publishes the ttl", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    expect(await page.evaluate(() => store.store("session", "token", { ttl: 60 }))).toBe(true);
    expectStore((await wire.waitFor(1))[0], { namespace, key: "session", payload: '"token"', ttl: 60 });
  });

  test("store publishes the tags", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    expect(await page.evaluate(() => store.store("doc:1", "content", { tags: ["important", "v2"] }))).toBe(true);
    expectStore((await wire.waitFor(1))[0], { namespace, key: "doc:1", payload: '"content"', tags: ["important", "v2"] });
  });

  test("store publishes binary data as base64", async ({ page, openStore, namespace, wire }) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
    await openStore();
    const stored = await page.evaluate(
      (numbers) => store.store("image", new Uint8Array(numbers), { format: keystore.KeyFormat.BINARY }),
      [...bytes],
    );
    expect(stored).toBe(true);
    expectStore((await wire.waitFor(1))[0], { namespace, key: "image", payload: bytes, format: "binary" });
  });

  test("messages have the time of the page's clock in UTC", async ({ page, openStore, wire }) => {
    await openStore();
    await page.evaluate(async () => {
      aids.setClock(Date.UTC(2031, 4, 6, 7, 8, 9, 10));
      await store.store("dated", 1);
      aids.setClock(Date.UTC(2031, 4, 6, 7, 8, 9, 999));
      await store.store("dated", 2);
      await store.delete("dated");
    });
    const [first, second, third] = await wire.waitFor(3);
    const [then, later] = ["2031-05-06T07:08:09.010Z", "2031-05-06T07:08:09.999Z"];
    expect(first?.envelope?.metadata).toMatchObject({ created_at: then, updated_at: then });
    expect(second?.envelope?.metadata).toMatchObject({ created_at: then, updated_at: later });
    expect(third?.envelope?.timestamp).toBe(later);
  });

  test("messages of two browsers have different origins", async ({ page, openStore, nats, openElsewhere, namespace, wire }) => {
    await openStore();
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
    const other = await openElsewhere();
    await openStoreIn(other, { servers: nats.wsUrl, namespace });
    await other.evaluate(() => store.store("c", 3));

    const [a, b, c] = (await wire.waitFor(3)).map(({ envelope }) => envelope?.metadata?.origin);
    expect(a).toBe(b);
    expect(c).not.toBe(a);
  });
});

test.describe("retrieve, delete, exists, update", () => {
  test("retrieve resolves with the value, or with undefined for an absent key", async ({ page, openStore }) => {
    await openStore();
    const [value, nothing, past] = await page.evaluate(async () => {
      await store.store("config", { debug: true });
      return [
        await store.retrieve("config"),
        (await store.retrieve("nothing")) === undefined,
        await store.retrieve("config", { useCache: false }),
      ];
    });
    expect(value).toEqual({ debug: true });
    expect(nothing).toBe(true);
    expect(past).toEqual({ debug: true });
  });

  test("delete resolves to whether the key existed and publishes in both cases", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const deleted = await page.evaluate(async () => {
      await store.store("old_key", 1);
      await store.store("old_key", 2);
      return { existing: await store.delete("old_key"), absent: await store.delete("never_there") };
    });
    expect(deleted).toEqual({ existing: true, absent: false });
    const messages = await wire.waitFor(4);
    expectDelete(messages[2], { namespace, key: "old_key", version: 3 });
    expectDelete(messages[3], { namespace, key: "never_there", version: 1 });
  });

  test("exists resolves to whether the key exists", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const before = await store.exists("user:123");
      await store.store("user:123", 1);
      const between = await store.exists("user:123");
      await store.delete("user:123");
      return { before, stored: between, deleted: await store.exists("user:123") };
    });
    expect(seen).toEqual({ before: false, stored: true, deleted: false });
  });

  test("update raises the version", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("config", { debug: true }, { tags: ["t"], ttl: 50 });
      const updated = await store.update("config", { debug: false });
      return { updated, version: (await store.getMetadata("config"))?.version, value: await store.retrieve("config") };
    });
    expect(seen).toEqual({ updated: true, version: 2, value: { debug: false } });
    expectStore((await wire.waitFor(2))[1], {
      namespace,
      key: "config",
      payload: '{"debug":false}',
      version: 2,
      tags: ["t"],
      ttl: 50,
    });
  });

  test("update accepts a format", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    await page.evaluate(async () => {
      await store.store("config", { debug: true });
      await store.update("config", "debug=false", { format: keystore.KeyFormat.TEXT });
    });
    expectStore((await wire.waitFor(2))[1], { namespace, key: "config", payload: "debug=false", version: 2, format: "text" });
  });
});

test("bulk operations store and retrieve many keys", async ({ page, openStore, namespace, wire }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    const results = await store.bulkStore({ key1: "value1", key2: "value2", key3: "value3" });
    const values = await store.bulkRetrieve(["key1", "nothing", "key2", "key3"]);
    return { results: [...results], values: [...values] };
  });
  expect(seen.results).toEqual([
    ["key1", true],
    ["key2", true],
    ["key3", true],
  ]);
  expect(seen.values).toEqual([
    ["key1", "value1"],
    ["key2", "value2"],
    ["key3", "value3"],
  ]);

  const messages = await wire.waitFor(3);
  for (const [index, message] of messages.entries()) {
    expectStore(message, { namespace, key: `key${index + 1}`, payload: `"value${index + 1}"` });
  }
  expect(new Set(messageIds(messages)).size).toBe(3);
});

test("getMetadata returns version, size, tags and times", async ({ page, openStore }) => {
  await openStore();
  const metadata = await page.evaluate(async () => {
    aids.setClock(Date.UTC(2030, 0, 1));
    await store.store("user:123", { name: "Ålice" }, { tags: ["vip"] });
    return store.getMetadata("user:123");
  });
  expect(metadata).toMatchObject({
    version: 1,
    size: Buffer.byteLength('{"name":"Ålice"}'),
    tags: ["vip"],
    createdAt: new Date(Date.UTC(2030, 0, 1)),
  });
  expect(await page.evaluate(async () => (await store.getMetadata("nobody")) === undefined)).toBe(true);
});

test.describe("cache management", () => {
  test("getCacheStats returns size and memory usage", async ({ page, openStore }) => {
    await openStore({ cacheSize: 10 });
    const stats = await page.evaluate(async () => {
      await store.store("a", "12345");
      await store.store("b", "123");
      return store.getCacheStats();
    });
    expect(stats).toMatchObject({ size: 2, maxSize: 10, memoryUsage: 12 });
  });

  test("clearCache removes every entry and publishes nothing", async ({ page, openStore, wire }) => {
    await openStore();
    const left = await page.evaluate(async () => {
      await store.bulkStore({ a: 1, b: 2 });
      await store.clearCache();
      return { keys: await store.listKeys(), cached: store.getCacheStats().size, exists: await store.exists("a") };
    });
    expect(left).toEqual({ keys: [], cached: 0, exists: false });
    expect(await wire.settled()).toHaveLength(2);
  });

  test("listKeys accepts wildcards", async ({ page, openStore }) => {
    await openStore();
    const lists = await page.evaluate(async () => {
      await store.bulkStore({ "user:2": 1, "user:1": 1, "cache:a": 1, "cache:b": 1, other: 1 });
      return {
        users: await store.listKeys("user:*"),
        caches: await store.listKeys("cache:*"),
        star: await store.listKeys("*"),
        all: await store.listKeys(),
      };
    });
    const all = ["cache:a", "cache:b", "other", "user:1", "user:2"];
    expect(lists).toEqual({ users: ["user:1", "user:2"], caches: ["cache:a", "cache:b"], star: all, all });
  });
});

test("ping resolves to whether a server is reachable", async ({ page, startNats, namespace, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  expect(await page.evaluate(() => store.ping())).toBe(true);
  await server.stop();
  expect(await page.evaluate(() => store.ping())).toBe(false);
});

test.describe("storage formats", () => {
  test("JSON is the default format", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const value = await page.evaluate(async () => {
      await store.store("api_response", { status: "ok", data: [1, 2, 3] });
      return store.retrieve("api_response");
    });
    expect(value).toEqual({ status: "ok", data: [1, 2, 3] });
    expectStore((await wire.waitFor(1))[0], { namespace, key: "api_response", payload: '{"status":"ok","data":[1,2,3]}' });
  });

  test("the structured format keeps rich objects", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const object = { name: "example", created: new Date(1_700_000_000_000), seen: new Map([["a", new Set([1n])]]) };
      await store.store("complex_obj", object, { format: keystore.KeyFormat.STRUCTURED });
      const copy = await store.retrieve<typeof object>("complex_obj");
      return {
        name: copy?.name,
        isDate: copy?.created instanceof Date,
        time: copy?.created.getTime(),
        set: [...(copy?.seen.get("a") ?? [])],
      };
    });
    expect(seen).toEqual({ name: "example", isDate: true, time: 1_700_000_000_000, set: [1n] });
    const [message] = await wire.waitFor(1);
    expectStore(message, { namespace, key: "complex_obj", payload: message?.envelope?.value ?? "", format: "structured" });
  });

  test("the text format keeps plain text", async ({ page, openStore, namespace, wire }) => {
    const text = "[database]\nhost=localhost";
    await openStore();
    const value = await page.evaluate(async (text) => {
      await store.store("config.ini", text, { format: keystore.KeyFormat.TEXT });
      return store.retrieve("config.ini");
    }, text);
    expect(value).toBe(text);
    const [message] = await wire.waitFor(1);
    expectStore(message, { namespace, key: "config.ini", payload: text, format: "text" });
    expect(message?.subject).toBe(`_kv.${namespace}.key.config%2Eini`);
  });

  test("the binary format keeps bytes", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    const value = await page.evaluate(async () => {
      await store.store("image", new Blob([new Uint8Array([137, 80, 78, 71])]), { format: keystore.KeyFormat.BINARY });
      const bytes = await store.retrieve<Uint8Array>("image");
      return { isUint8Array: bytes instanceof Uint8Array, bytes: [...(bytes ?? [])] };
    });
    expect(value).toEqual({ isUint8Array: true, bytes: [137, 80, 78, 71] });
    expectStore((await wire.waitFor(1))[0], { namespace, key: "image", payload: Uint8Array.of(137, 80, 78, 71), format: "binary" });
  });

  test("a format can be given as a string, and pickle is refused", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => ({
      formats: { ...keystore.KeyFormat },
      stored: await store.store("t", "x", { format: "text" }),
      refused: (await aids.refusalOf(() => store.store("p", 1, { format: "pickle" as "json" })))?.code,
    }));
    expect(seen).toEqual({
      formats: { JSON: "json", TEXT: "text", BINARY: "binary", STRUCTURED: "structured" },
      stored: true,
      refused: "INVALID_OPTION",
    });
  });
});

test("an expired key does not exist", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    aids.setClock(1_800_000_000_000);
    await store.store("session:abc", { id: 1 }, { ttl: 300 });
    aids.setClock(1_800_000_299_999);
    const read = async () => ({ exists: await store.exists("session:abc"), value: await store.retrieve("session:abc") });
    const before = await read();
    aids.setClock(1_800_000_300_000);
    return { before, after: await read() };
  });
  expect(seen).toEqual({ before: { exists: true, value: { id: 1 } }, after: { exists: false, value: undefined } });
});
