import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { generateKeys } from "./support/generated-keys.ts";
import { expectedSubject, messageIds } from "./support/messages.ts";

test("10,000 unusual keys are published to one distinct subject each", async ({ page, openStore, namespace, wire }) => {
  const keys = generateKeys(10_000, 20_240_611);
  await openStore();
  const refused = await page.evaluate(async (keys) => {
    const [single, many] = [keys.slice(0, 500), keys.slice(500)];
    const [results, bulk] = await Promise.all([
      Promise.all(single.map((key, index) => store.store(key, index))),
      store.bulkStore(new Map(many.map((key, index) => [key, 500 + index]))),
    ]);
    return [...single.filter((_, index) => results[index] !== true), ...many.filter((key) => bulk.get(key) !== true)];
  }, keys);
  expect(refused).toEqual([]);

  await wire.waitFor(keys.length);
  const messages = await wire.settled();
  expect(messages).toHaveLength(keys.length);
  const subjects = new Map(messages.map(({ subject, envelope }) => [envelope?.key, subject]));
  const wrong = keys.filter((key) => subjects.get(key) !== expectedSubject(namespace, key));
  expect(wrong).toEqual([]);
  expect(new Set(subjects.values()).size).toBe(keys.length);
  expect(new Set(messageIds(messages)).size).toBe(keys.length);
  const values = new Map(messages.map(({ envelope }) => [envelope?.key, envelope?.value]));
  expect(keys.filter((key, index) => values.get(key) !== String(index))).toEqual([]);

  const read = await page.evaluate(async (keys) => {
    const values = await store.bulkRetrieve<number>(keys, { useCache: false });
    const listed = await store.listKeys();
    return {
      order: [...values.keys()].every((key, index) => key === keys[index]),
      values: keys.every((key, index) => values.get(key) === index),
      listed: JSON.stringify(listed) === JSON.stringify(keys.toSorted()),
    };
  }, keys);
  expect(read).toEqual({ order: true, values: true, listed: true });
});

test("a key of 1,024 encoded bytes is published in the longest namespace", async ({ page, nats, wire }) => {
  const namespace = `${"n".repeat(127)}.${crypto.randomUUID()}`.padEnd(255, "m");
  const key = " ".repeat(1024);
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate((key) => store.store(key, 1), key)).toBe(true);
  const [message] = await wire.waitFor(1);
  expect(message?.subject).toBe(`_kv.${namespace}.key.${"%20".repeat(1024)}`);
  expect(message?.envelope?.key).toBe(key);
});

test("keys with the names of Object properties are ordinary keys", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    const names = ["__proto__", "constructor", "toString"];
    const before = await store.bulkRetrieve(names);
    await store.bulkStore(JSON.parse('{"__proto__":1,"constructor":2}') as object as Record<string, unknown>);
    await store.store("toString", 3);
    return { sizeBefore: before.size, entries: [...(await store.bulkRetrieve(names))], keys: await store.listKeys() };
  });
  expect(seen).toEqual({
    sizeBefore: 0,
    entries: [
      ["__proto__", 1],
      ["constructor", 2],
      ["toString", 3],
    ],
    keys: ["__proto__", "constructor", "toString"],
  });
});

test("keys that are equal only after Unicode normalization are different keys", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    await store.bulkStore({ "\u00e9": 1, "e\u0301": 2 });
    return { composed: await store.retrieve("\u00e9"), decomposed: await store.retrieve("e\u0301") };
  });
  expect(seen).toEqual({ composed: 1, decomposed: 2 });
});

test("every operation rejects an invalid key with INVALID_KEY, and nothing is stored or sent", async ({ page, openStore, wire }) => {
  await openStore();
  const codes = await page.evaluate(async () => {
    const invalid: Record<string, unknown> = {
      empty: "",
      "1,025 bytes": "a".repeat(1025),
      "1,025 bytes of several each": "é".repeat(512) + "x",
      "half a pair at the end": "a\ud800",
      "half a pair in front": "\udc00a",
      "a pair the wrong way round": "\udc00\ud800",
      undefined: undefined,
      null: null,
      "a number": 1,
      "an object": {},
      "an array": ["a"],
      "a String": Object("a"),
      "a symbol": Symbol("a"),
    };
    const operations: Record<string, (key: string) => unknown> = {
      store: (key) => store.store(key, 1),
      retrieve: (key) => store.retrieve(key),
      delete: (key) => store.delete(key),
      exists: (key) => store.exists(key),
      update: (key) => store.update(key, 1),
      getMetadata: (key) => store.getMetadata(key),
      bulkStore: (key) =>
        store.bulkStore([
          ["good", 1],
          [key, 1],
        ]),
      bulkRetrieve: (key) => store.bulkRetrieve(["good", key]),
    };
    const wrong: string[] = [];
    for (const [what, key] of Object.entries(invalid)) {
      for (const [name, operation] of Object.entries(operations)) {
        const refusal = await aids.refusalOf(() => operation(key as string));
        const right = refusal?.code === "INVALID_KEY" && refusal.isKeyStoreError && refusal.message !== "";
        if (!right) wrong.push(`${name} of ${what}: ${JSON.stringify(refusal)}`);
      }
    }
    return { wrong, keys: await store.listKeys(), pending: await store.pendingWrites() };
  });
  expect(codes).toEqual({ wrong: [], keys: [], pending: [] });
  expect(await wire.settled()).toEqual([]);
});

test("listKeys sorts by code unit", async ({ page, openStore }) => {
  const sorted = ["A", "Z", "_", "a", "b", "bb", "z", "ß", "é", "日", "😀", "\ue000", "\uffff"];
  await openStore();
  const lists = await page.evaluate(async (keys) => {
    await store.bulkStore(
      keys.map((key) => [key, 1] as const),
      { tags: ["t"] },
    );
    return {
      all: await store.listKeys(),
      tagged: await store.listKeys("*", { tag: "t" }),
      ofOneCharacter: await store.listKeys("?", { tag: "t" }),
    };
  }, sorted.toReversed());
  expect(lists).toEqual({ all: sorted, tagged: sorted, ofOneCharacter: sorted.filter((key) => key !== "bb") });
});
