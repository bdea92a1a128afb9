import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";
import { sha256 } from "./support/messages.ts";

const T = 1_800_000_000_000;

test.describe("what was stored", () => {
  test("survives a reload, in every format, with its metadata", async ({ page, openStore }) => {
    await openStore({ compression: true });
    const look = () =>
      page.evaluate(async () => [
        await store.retrieve("json"),
        await store.retrieve("text"),
        [...((await store.retrieve<Uint8Array>("binary")) ?? [])],
        [...((await store.retrieve<Map<string, bigint>>("structured")) ?? [])],
        await store.retrieve("long"),
        await Promise.all(["json", "text", "binary", "structured", "long"].map((key) => store.getMetadata(key))),
      ]);
    await page.evaluate(async () => {
      await store.store("json", { a: 1 }, { tags: ["t"], ttl: 1000 });
      await store.store("text", "é", { format: "text" });
      await store.store("binary", Uint8Array.of(1, 2), { format: "binary" });
      await store.store("structured", new Map([["a", 1n]]), { format: "structured" });
      await store.store("long", "x".repeat(5000));
    });
    const before = await look();
    await reload(page);
    await openStore({ compression: true });
    expect(await page.evaluate(() => store.listKeys())).toEqual(["binary", "json", "long", "structured", "text"]);
    expect(await look()).toEqual(before);
  });

  test("is seen by a store that a second page opens", async ({ page, openPage, openStore, nats, namespace }) => {
    await openStore();
    await page.evaluate(() => store.store("k", { a: 1 }));
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    expect(await second.evaluate(async () => [await store.retrieve("k"), await store.listKeys()])).toEqual([{ a: 1 }, ["k"]]);
  });

  test("is not seen in another namespace", async ({ page, openStore, namespace }) => {
    await openStore();
    await page.evaluate(() => store.store("k", 1));
    await openStore({ namespace: `${namespace}-other` });
    expect(await page.evaluate(() => store.listKeys())).toEqual([]);
  });

  test("is read fresh by a page that had it in memory", async ({ page, openPage, openStore, nats, namespace }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    const read = () => second.evaluate(async () => [await store.retrieve("k"), (await store.getMetadata("k"))?.version]);
    for (let version = 1; version <= 10; version++) {
      await page.evaluate((version) => store.store("k", { version }), version);
      expect(await read()).toEqual([{ version }, version]);
      expect(await read()).toEqual([{ version }, version]);
    }
    await page.evaluate(() => store.delete("k"));
    expect(await second.evaluate(async () => [await store.exists("k"), (await store.retrieve("k")) === undefined])).toEqual([false, true]);
    await page.evaluate(() => store.store("k", "anew"));
    expect(await read()).toEqual(["anew", 1]);
    await page.evaluate(() => store.clearCache());
    expect(await second.evaluate(async () => (await store.retrieve("k")) === undefined)).toBe(true);
  });

  test("by two pages at once has one version each, the last of which both read", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
    wire,
  }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    const write = (who: string) => async (in_: typeof page) =>
      in_.evaluate((who) => Promise.all(Array.from({ length: 20 }, (_, index) => store.store("k", `${who} ${index}`))), who);
    await Promise.all([write("first")(page), write("second")(second)]);
    await Promise.all([page.evaluate(() => store.flush()), second.evaluate(() => store.flush())]);

    const look = (in_: typeof page) =>
      in_.evaluate(async () => [await store.retrieve("k", { useCache: false }), (await store.getMetadata("k"))?.version]);
    const [value, version] = await look(page);
    expect(version).toBe(40);
    expect(await look(second)).toEqual([value, version]);
    const last = (await wire.settled()).at(-1)?.envelope;
    expect(last?.metadata?.version).toBe(40);
    expect(last?.value).toBe(JSON.stringify(value));
  });
});

test.describe("damage", () => {
  for (const compression of [false, true]) {
    for (const format of ["json", "text", "binary", "structured"] as const) {
      const what = `a byte of a ${compression ? "gzipped " : ""}${format} payload`;
      test(`to ${what} is CHECKSUM_MISMATCH at every read until the key is stored anew`, async ({ page, openStore, namespace }) => {
        const keys = ["its first byte", "one in the middle", "its last byte"];
        await openStore({ compression: compression && { thresholdBytes: 0 } });
        await page.evaluate(
          async ([format, namespace, keys]) => {
            const text = "abc ".repeat(500);
            const value = format === "binary" ? new TextEncoder().encode(text) : text;
            await store.bulkStore(
              keys.map((key) => [key, value] as const),
              { format },
            );
            await store.store("whole", 1);
            for (const [index, key] of keys.entries()) await aids.flipBit(namespace, key, index / 2);
          },
          [format, namespace, keys] as const,
        );
        await reload(page);
        await openStore();
        for (const key of keys) {
          const seen = await page.evaluate(async (key) => {
            const reads = [
              await aids.refusalOf(() => store.retrieve(key)),
              await aids.refusalOf(() => store.retrieve(key)),
              await aids.refusalOf(() => store.retrieve(key, { useCache: false })),
            ];
            const bulk = [...(await store.bulkRetrieve([key, "whole"])), ...(await store.bulkRetrieve([key], { useCache: false }))];
            const corrupt = events.filter(({ type, detail }) => type === "corrupt" && detail.key === key);
            await store.store(key, "anew");
            return {
              reads: reads.map((refusal) => [refusal?.code, refusal?.key]),
              bulk,
              corrupt: corrupt.map(({ detail }) => [detail.error?.code, detail.error?.key]),
              anew: await store.retrieve(key, { useCache: false }),
            };
          }, key);
          expect(seen).toEqual({
            reads: Array.from({ length: 3 }, () => ["CHECKSUM_MISMATCH", key]),
            bulk: [["whole", 1]],
            corrupt: Array.from({ length: 5 }, () => ["CHECKSUM_MISMATCH", key]),
            anew: "anew",
          });
        }
      });
    }
  }

  test("ends with a delete too", async ({ page, openStore, namespace }) => {
    await openStore({ cacheSize: 0 });
    const seen = await page.evaluate(async (namespace) => {
      await store.store("k", "value");
      await aids.flipBit(namespace, "k", 0.5);
      const refusal = await aids.refusalOf(() => store.retrieve("k"));
      return [refusal?.code, await store.delete("k"), (await store.retrieve("k")) === undefined];
    }, namespace);
    expect(seen).toEqual(["CHECKSUM_MISMATCH", true, true]);
  });

  test("is found by a read past the memory front that still has the value", async ({ page, openStore, namespace }) => {
    await openStore();
    const code = await page.evaluate(async (namespace) => {
      await store.store("k", "value");
      await aids.flipBit(namespace, "k", 0.5);
      return (await aids.refusalOf(() => store.retrieve("k", { useCache: false })))?.code;
    }, namespace);
    expect(code).toBe("CHECKSUM_MISMATCH");
  });

  test("to a payload's length is CHECKSUM_MISMATCH", async ({ page, openStore, namespace }) => {
    await openStore({ cacheSize: 0 });
    const codes = await page.evaluate(async (namespace) => {
      const read = async () => (await aids.refusalOf(() => store.retrieve("k")))?.code;
      await store.store("k", "value");
      await aids.changeRawEntry(namespace, "k", { payload: '"value" ' });
      const longer = await read();
      await aids.changeRawEntry(namespace, "k", { payload: "" });
      const empty = await read();
      await aids.changeRawEntry(namespace, "k", { payload: 1 as unknown as string });
      return [longer, empty, await read()];
    }, namespace);
    expect(codes).toEqual(["CHECKSUM_MISMATCH", "CHECKSUM_MISMATCH", "CHECKSUM_MISMATCH"]);
  });

  for (const declared of [10, 1_000_000_000]) {
    test(`as a gzip bomb that declares ${declared} bytes is DECODE_FAILED`, async ({ page, openStore, namespace }) => {
      const bomb = gzipSync(Buffer.alloc(200_000_000));
      await openStore({ cacheSize: 0, compression: { thresholdBytes: 0 } });
      const seen = await page.evaluate(
        async ([namespace, base64, storedChecksum, size]) => {
          await store.store("k", "x".repeat(1000));
          const payload = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
          await aids.changeRawEntry(namespace, "k", { payload, storedChecksum, size });
          const refusal = await aids.refusalOf(() => store.retrieve("k"));
          const bulk = await store.bulkRetrieve(["k"]);
          return [
            refusal?.code,
            refusal?.key,
            bulk.size,
            events.filter(({ type }) => type === "corrupt").map(({ detail }) => detail.error?.code),
          ];
        },
        [namespace, bomb.toString("base64"), createHash("sha256").update(bomb).digest("hex"), declared] as const,
      );
      expect(seen).toEqual(["DECODE_FAILED", "k", 0, ["DECODE_FAILED", "DECODE_FAILED"]]);
    });
  }

  test("with a checksum that fits is DECODE_FAILED where the payload is no longer its format", async ({ page, openStore, namespace }) => {
    await openStore({ cacheSize: 0 });
    const payload = '{"a":';
    const codes = await page.evaluate(
      async ([namespace, payload, checksum]) => {
        const codes: unknown[] = [];
        for (const format of ["json", "structured"] as const) {
          await store.store("k", {}, { format });
          await aids.changeRawEntry(namespace, "k", { payload, checksum, size: payload.length });
          codes.push((await aids.refusalOf(() => store.retrieve("k")))?.code);
        }
        return codes;
      },
      [namespace, payload, sha256(payload)] as const,
    );
    expect(codes).toEqual(["DECODE_FAILED", "DECODE_FAILED"]);
  });
});

test.describe("TTL", () => {
  for (const cacheSize of [100, 0]) {
    test(`an entry is absent for every operation from the moment it expires, cacheSize ${cacheSize}`, async ({ page, openStore }) => {
      await openStore({ cacheSize });
      const look = (at: number) =>
        page.evaluate(async (at) => {
          aids.setClock(at);
          return {
            // What removes nothing comes first.
            listKeys: await store.listKeys(),
            prefix: await store.listKeys("listed*"),
            tag: await store.listKeys("*", { tag: "t" }),
            stats: (await store.getStorageStats()).entries,
            bytes: (await store.getStorageStats()).bytes,
            cached: store.getCacheStats().keys.length > 0,
            retrieve: (await store.retrieve("retrieved")) !== undefined,
            useCache: (await store.retrieve("past the cache", { useCache: false })) !== undefined,
            exists: await store.exists("asked for"),
            getMetadata: (await store.getMetadata("described")) !== undefined,
            bulkRetrieve: [...(await store.bulkRetrieve(["in bulk 1", "in bulk 2"])).keys()],
          };
        }, at);
      const keys = ["asked for", "described", "in bulk 1", "in bulk 2", "listed", "past the cache", "retrieved", "stored anew", "updated"];
      await page.evaluate(
        async ([keys, T]) => {
          aids.setClock(T);
          await store.bulkStore(
            keys.map((key) => [key, 1] as const),
            { ttl: 10, tags: ["t"] },
          );
        },
        [keys, T] as const,
      );
      expect(await look(T + 9_999)).toEqual({
        listKeys: keys,
        prefix: ["listed"],
        tag: keys,
        stats: 9,
        bytes: 9,
        cached: cacheSize > 0,
        retrieve: true,
        useCache: true,
        exists: true,
        getMetadata: true,
        bulkRetrieve: ["in bulk 1", "in bulk 2"],
      });
      expect(await look(T + 10_000)).toEqual({
        listKeys: [],
        prefix: [],
        tag: [],
        stats: 0,
        bytes: 0,
        cached: false,
        retrieve: false,
        useCache: false,
        exists: false,
        getMetadata: false,
        bulkRetrieve: [],
      });
      const after = await page.evaluate(async () => {
        await store.update("updated", 2);
        await store.store("stored anew", 2, { ifVersion: 0 });
        const updated = await store.getMetadata("updated");
        return [
          updated?.version,
          updated?.ttl,
          updated?.tags,
          updated?.createdAt.getTime(),
          (await store.getMetadata("stored anew"))?.version,
          await store.delete("asked for"),
        ];
      });
      expect(after).toEqual([1, null, [], T + 10_000, 1, false]);
    });
  }

  test("may be a fraction of a second", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { ttl: 0.25 });
      aids.setClock(T + 249);
      const before = await store.exists("k");
      aids.setClock(T + 250);
      return [before, await store.exists("k")];
    }, T);
    expect(seen).toEqual([true, false]);
  });

  test("counts from the last write", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { ttl: 10 });
      aids.setClock(T + 9_000);
      await store.update("k", 2);
      aids.setClock(T + 18_999);
      const before = await store.retrieve("k");
      const { ttl, expiresAt } = (await store.getMetadata("k"))!;
      aids.setClock(T + 19_000);
      return [before, ttl, expiresAt?.getTime(), await store.exists("k")];
    }, T);
    expect(seen).toEqual([2, 10, T + 19_000, false]);
  });

  test("is the store's default unless given, and null is never", async ({ page, openStore }) => {
    await openStore({ defaultTtl: 5 });
    const seen = await page.evaluate(async () => {
      await store.store("default", 1);
      await store.store("own", 1, { ttl: 7 });
      await store.store("never", 1, { ttl: null });
      await store.bulkStore({ bulk: 1 });
      await store.update("created", 1);
      await store.update("never", 2);
      await store.store("stored again", 1, { ttl: 7 });
      await store.store("stored again", 2);
      const keys = ["default", "own", "never", "bulk", "created", "stored again"];
      return Promise.all(keys.map(async (key) => (await store.getMetadata(key))?.ttl));
    });
    expect(seen).toEqual([5, 7, null, 5, 5, 5]);
  });

  test("sweep removes what has expired, and says how much", async ({ page, openStore, namespace }) => {
    await openStore();
    const seen = await page.evaluate(
      async ([T, namespace]) => {
        aids.setClock(T);
        await store.bulkStore(
          Array.from({ length: 1_000 }, (_, index) => [`short ${index}`, index] as const),
          { ttl: 1 },
        );
        await store.bulkStore({ long: 1, longer: 2 }, { ttl: 100 });
        await store.store("for ever", 1);
        aids.setClock(T + 1_000);
        return [await store.sweep(), await aids.rawKeys(namespace), await store.sweep()];
      },
      [T, namespace] as const,
    );
    expect(seen).toEqual([1_000, ["for ever", "long", "longer"], 0]);
  });

  test("is swept in the background", async ({ page, openStore, namespace }) => {
    await openStore({ sweepIntervalMs: 20 });
    await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ short: 1, shorter: 1 }, { ttl: 1 });
      await store.store("long", 1);
      aids.setClock(T + 1_000);
    }, T);
    await expect.poll(() => page.evaluate((namespace) => aids.rawKeys(namespace), namespace)).toEqual(["long"]);
  });

  test("an expired entry is removed by the operation that comes upon it", async ({ page, openStore, namespace }) => {
    await openStore({ sweepIntervalMs: 0 });
    await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ retrieved: 1, asked: 1, untouched: 1 }, { ttl: 1 });
      aids.setClock(T + 1_000);
      await store.retrieve("retrieved");
      await store.exists("asked");
    }, T);
    await expect.poll(() => page.evaluate((namespace) => aids.rawKeys(namespace), namespace)).toEqual(["untouched"]);
  });

  test("a clock that jumps back revives nothing that was swept", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.bulkStore({ a: 1, b: 1 }, { ttl: 10, tags: ["t"] });
      aids.setClock(T + 10_000);
      await store.sweep();
      aids.setClock(T + 1);
      return [
        await store.exists("a"),
        (await store.retrieve("b")) === undefined,
        await store.listKeys(),
        await store.listKeys("*", { tag: "t" }),
      ];
    }, T);
    expect(seen).toEqual([false, true, [], []]);
  });

  for (const way of ["retrieve", "retrieve past the cache", "exists", "getMetadata", "bulkRetrieve", "listKeys"] as const) {
    test(`a clock that jumps back revives nothing that ${way} has seen expired`, async ({ page, openStore }) => {
      await openStore({ sweepIntervalMs: 0 });
      const seen = await page.evaluate(
        async ([T, way]) => {
          aids.setClock(T);
          await store.store("k", 1, { ttl: 10 });
          aids.setClock(T + 10_000);
          if (way === "retrieve") await store.retrieve("k");
          if (way === "retrieve past the cache") await store.retrieve("k", { useCache: false });
          if (way === "exists") await store.exists("k");
          if (way === "getMetadata") await store.getMetadata("k");
          if (way === "bulkRetrieve") await store.bulkRetrieve(["k"]);
          if (way === "listKeys") await store.listKeys();
          aids.setClock(T + 1);
          const cached = (await store.retrieve("k")) === undefined;
          return [cached, (await store.retrieve("k", { useCache: false })) === undefined, await store.exists("k"), await store.listKeys()];
        },
        [T, way] as const,
      );
      expect(seen).toEqual([true, true, false, []]);
    });
  }

  test("a clock that jumps back does not break the order of versions", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", "first");
      aids.setClock(T - 3_600_000);
      await store.store("k", "second");
      return [await store.retrieve("k", { useCache: false }), (await store.getMetadata("k"))?.version];
    }, T);
    expect(seen).toEqual(["second", 2]);
    expect((await wire.waitFor(2)).map(({ envelope }) => envelope?.metadata?.version)).toEqual([1, 2]);
  });

  test("an expired entry that waits to be published keeps its message, and no clock revives it", async ({
    page,
    openStore,
    nats,
    openLink,
    wire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      const stored = await store.store("k", "kept", { ttl: 10 });
      aids.setClock(T + 10_000);
      const swept = await store.sweep();
      const keys = await store.listKeys();
      aids.setClock(T + 1);
      return [stored, swept, keys, await store.exists("k"), (await store.pendingWrites()).map(({ key }) => key)];
    }, T);
    expect(seen).toEqual([false, 0, [], false, ["k"]]);
    await link.mend();
    await page.evaluate(() => store.flush());
    expect((await wire.waitFor(1))[0]?.envelope).toMatchObject({ key: "k", value: '"kept"' });
  });

  test("a key stored again after it expired goes on from a version that is still unconfirmed", async ({
    page,
    openStore,
    nats,
    openLink,
    wire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", "first", { ttl: 10 });
      aids.setClock(T + 10_000);
      await store.store("k", "second", { ifVersion: 0 });
      return [(await store.getMetadata("k"))?.version, (await store.pendingWrites()).map(({ version }) => version)];
    }, T);
    expect(seen).toEqual([2, [2]]);
    await link.mend();
    await page.evaluate(() => store.flush());
    expect((await wire.waitFor(1)).at(-1)?.envelope?.metadata?.version).toBe(2);
  });
});

test.describe("the memory front", () => {
  test("lets go of what was used least recently", async ({ page, openStore }) => {
    await openStore({ cacheSize: 3 });
    const seen = await page.evaluate(async () => {
      const keys = () => store.getCacheStats().keys.toSorted();
      await store.bulkStore({ a: 1, b: 1, c: 1 });
      await store.retrieve("a");
      await store.store("d", 1);
      const afterRetrieve = keys();
      await store.update("c", 2);
      await store.store("e", 1);
      const afterUpdate = keys();
      await store.retrieve("b");
      const afterMiss = keys();
      for (const key of ["e", "c", "b"]) await store.exists(key);
      await store.getMetadata("c");
      await store.listKeys();
      await store.store("f", 1);
      return [afterRetrieve, afterUpdate, afterMiss, keys(), store.getCacheStats().evictions];
    });
    expect(seen).toEqual([["a", "c", "d"], ["c", "d", "e"], ["b", "c", "e"], ["b", "e", "f"], 4]);
  });

  test("counts hits and misses of retrieve and bulkRetrieve alone", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
    await reload(page);
    await openStore();
    const seen = await page.evaluate(async () => {
      const counts = () => [store.getCacheStats().hits, store.getCacheStats().misses];
      await store.retrieve("a");
      const cold = counts();
      await store.retrieve("a");
      const warm = counts();
      await store.bulkRetrieve(["a", "b", "nothing"]);
      const bulk = counts();
      await store.exists("a");
      await store.getMetadata("a");
      await store.listKeys();
      await store.store("c", 1);
      await store.update("c", 1);
      await store.retrieve("a", { useCache: false });
      return [cold, warm, bulk, counts()];
    });
    expect(seen).toEqual([
      [0, 1],
      [1, 1],
      [2, 3],
      [2, 3],
    ]);
  });

  test("is filled by store, update, bulkStore and retrieve, not by exists, getMetadata and listKeys", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.bulkStore({ asked: 1, described: 1, read: 1, readInBulk: 1 }));
    await reload(page);
    await openStore();
    const keys = await page.evaluate(async () => {
      await store.exists("asked");
      await store.getMetadata("described");
      await store.listKeys();
      await store.retrieve("read");
      await store.bulkRetrieve(["readInBulk"]);
      await store.store("stored", 1);
      await store.update("updated", 1);
      await store.bulkStore({ bulk: 1 });
      return store.getCacheStats().keys.toSorted();
    });
    expect(keys).toEqual(["bulk", "read", "readInBulk", "stored", "updated"]);
  });

  test("measures what it holds", async ({ page, openStore }) => {
    await openStore({ cacheSize: 2, compression: { thresholdBytes: 0 } });
    const seen = await page.evaluate(async () => {
      const usage = () => store.getCacheStats().memoryUsage;
      await store.store("a", "x".repeat(1000), { format: "text" });
      const one = usage();
      await store.store("b", "é", { format: "text" });
      const two = usage();
      await store.store("a", "x", { format: "text" });
      const smaller = usage();
      await store.store("c", "", { format: "text" });
      const evicted = usage();
      await store.delete("a");
      return [one, two, smaller, evicted, usage(), store.getCacheStats().size];
    });
    expect(seen).toEqual([1000, 1002, 3, 1, 0, 1]);
  });

  test("is off with cacheSize 0", async ({ page, openStore }) => {
    await openStore({ cacheSize: 0 });
    const seen = await page.evaluate(async () => {
      await store.store("a", { v: 1 });
      const values = [await store.retrieve("a"), await store.retrieve("a")];
      return [values, store.getCacheStats()];
    });
    expect(seen).toEqual([[{ v: 1 }, { v: 1 }], { size: 0, maxSize: 0, memoryUsage: 0, hits: 0, misses: 2, evictions: 0, keys: [] }]);
  });
});

test.describe("metadata and versions", () => {
  test("getMetadata has every field of the contract, and no other", async ({ page, openStore }) => {
    await openStore();
    const metadata = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", "é", { ttl: 1.5, tags: ["b", "a"], format: "text" });
      return store.getMetadata("k");
    }, T);
    expect(metadata).toEqual({
      key: "k",
      format: "text",
      size: 2,
      version: 1,
      createdAt: new Date(T),
      updatedAt: new Date(T),
      ttl: 1.5,
      expiresAt: new Date(T + 1_500),
      tags: ["b", "a"],
      checksum: sha256("é"),
      pending: false,
      rejected: false,
    });
  });

  test("an entry that never expires says so", async ({ page, openStore }) => {
    await openStore();
    const metadata = await page.evaluate(async () => {
      await store.store("k", 1);
      return store.getMetadata("k");
    });
    expect(metadata).toMatchObject({ ttl: null, expiresAt: null, tags: [] });
  });

  test("a key keeps its creation time and counts its versions", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1);
      aids.setClock(T + 1);
      await store.store("k", 2);
      aids.setClock(T + 2);
      await store.update("k", 3);
      aids.setClock(T + 3);
      await store.bulkStore({ k: 4 });
      const { version, createdAt, updatedAt } = (await store.getMetadata("k"))!;
      return [version, createdAt.getTime() - T, updatedAt.getTime() - T];
    }, T);
    expect(seen).toEqual([4, 0, 3]);
  });

  test("concurrent writes of a key get one version each, in the order of the calls", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await Promise.all([
        ...Array.from({ length: 50 }, (_, index) => store.store("k", index)),
        store.store("k", new Blob(["slow to read"]), { format: "binary" }),
        store.store("k", new Map(), { format: "structured" }),
        store.update("k", new Set([1])),
        store.bulkStore({ k: "in bulk" }),
        store.store("k", "last"),
      ]);
      return [await store.retrieve("k", { useCache: false }), await store.retrieve("k"), (await store.getMetadata("k"))?.version];
    });
    expect(seen).toEqual(["last", "last", 55]);
    await wire.waitFor(55);
    const messages = await wire.settled();
    expect(messages.map(({ envelope }) => envelope?.metadata?.version)).toEqual(Array.from({ length: 55 }, (_, index) => index + 1));
  });

  test("delete, then store, starts at version 1 with a new creation time", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { tags: ["t"], ttl: 100 });
      await store.store("k", 2);
      await store.delete("k");
      aids.setClock(T + 5);
      await store.update("k", 3);
      const { version, createdAt, tags, ttl } = (await store.getMetadata("k"))!;
      return [version, createdAt.getTime() - T, tags, ttl];
    }, T);
    expect(seen).toEqual([1, 5, [], null]);
    const ids = (await wire.waitFor(4)).map(({ headers }) => headers["Nats-Msg-Id"]);
    expect(new Set(ids).size).toBe(4);
  });

  test("update keeps format, ttl and tags unless they are given", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const kept = async () => {
        const { format, ttl, tags } = (await store.getMetadata("k"))!;
        return [format, ttl, tags];
      };
      await store.store("k", "a", { format: "text", ttl: 100, tags: ["t"] });
      await store.update("k", "b");
      const all = await kept();
      await store.update("k", "c", { tags: [] });
      const noTags = await kept();
      await store.update("k", "d", { ttl: null });
      const noTtl = await kept();
      await store.update("k", { e: 1 }, { format: "json", tags: ["u"] });
      const wrongFormat = await aids.refusalOf(async () => {
        await store.update("k", "f", { format: "text" });
        await store.update("k", { g: 1 });
      });
      return [all, noTags, noTtl, await kept(), wrongFormat?.code, await store.retrieve("k")];
    });
    expect(seen).toEqual([["text", 100, ["t"]], ["text", 100, []], ["text", null, []], ["text", null, ["u"]], "INVALID_VALUE", "f"]);
  });

  test("update creates a key that is absent", async ({ page, openStore }) => {
    await openStore({ defaultTtl: 50 });
    const seen = await page.evaluate(async () => {
      await store.update("k", { a: 1 }, { tags: ["t"] });
      const { version, format, tags, ttl } = (await store.getMetadata("k"))!;
      return [version, format, tags, ttl, await store.retrieve("k")];
    });
    expect(seen).toEqual([1, "json", ["t"], 50, { a: 1 }]);
  });

  test("tags without order or repetition are the caller's: they come back as they were given", async ({ page, openStore }) => {
    await openStore();
    const tags = await page.evaluate(async () => {
      await store.store("k", 1, { tags: ["z", "a", "é", ""] });
      return (await store.getMetadata("k"))?.tags;
    });
    expect(tags).toEqual(["z", "a", "é", ""]);
  });

  test("a conflict of ifVersion changes and sends nothing", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const code = async (work: () => unknown) => {
        const refusal = await aids.refusalOf(work);
        return refusal && [refusal.code, refusal.key];
      };
      return [
        await code(() => store.store("k", 1, { ifVersion: 1 })),
        await code(() => store.store("k", 1, { ifVersion: 0 })),
        await code(() => store.store("k", 2, { ifVersion: 0 })),
        await code(() => store.update("k", 2, { ifVersion: 2 })),
        await code(() => store.update("k", 2, { ifVersion: 1 })),
        await code(() => store.delete("k", { ifVersion: 1 })),
        await code(() => store.bulkStore({ k: 3 }, { ifVersion: 1 })),
        await store.retrieve("k", { useCache: false }),
        (await store.getMetadata("k"))?.version,
        await code(() => store.delete("k", { ifVersion: 2 })),
        await code(() => store.delete("k", { ifVersion: 2 })),
        await code(() => store.delete("k", { ifVersion: 0 })),
      ];
    });
    const conflict = ["VERSION_CONFLICT", "k"];
    expect(seen).toEqual([conflict, undefined, conflict, conflict, undefined, conflict, conflict, 2, 2, undefined, conflict, undefined]);
    await wire.waitFor(4);
    expect((await wire.settled()).map(({ envelope }) => envelope?.operation)).toEqual(["store", "store", "delete", "delete"]);
  });

  test("of many writes with the same ifVersion one wins, from one page or two", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
    wire,
  }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    await page.evaluate(() => store.store("k", 0));
    const race = (in_: typeof page) =>
      in_.evaluate(() =>
        Promise.all(
          Array.from(
            { length: 20 },
            async (_, index) => (await aids.refusalOf(() => store.store("k", index, { ifVersion: 1 })))?.code ?? "won",
          ),
        ),
      );
    const outcomes = (await Promise.all([race(page), race(second)])).flat();
    expect(outcomes.filter((outcome) => outcome === "won")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "VERSION_CONFLICT")).toHaveLength(39);
    await wire.waitFor(2);
    expect(await wire.settled()).toHaveLength(2);
  });
});

test.describe("the database under the store", () => {
  test("can be destroyed: memory is emptied, a reset event follows, and the store works again", async ({ page, openStore, namespace }) => {
    await openStore();
    const seen = await page.evaluate(async (namespace) => {
      await store.store("k", 1);
      await store.store("k", 2);
      await keystore.destroyNamespace(namespace);
      const cached = store.getCacheStats().size;
      const read = (await store.retrieve("k")) === undefined;
      const resets = events.filter(({ type }) => type === "reset").map(({ detail }) => typeof detail.reason);
      const stored = await store.store("k", 3);
      return [cached, read, resets, stored, (await store.getMetadata("k"))?.version, await store.retrieve("k", { useCache: false })];
    }, namespace);
    expect(seen).toEqual([0, true, ["string"], true, 1, 3]);
  });

  test("can be destroyed with writes that wait", async ({ page, openStore, nats, openLink, namespace, wire, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const seen = await page.evaluate(async (namespace) => {
      const stored = await store.store("k", 1);
      await keystore.destroyNamespace(namespace);
      return [stored, await store.pendingWrites(), await store.listKeys()];
    }, namespace);
    expect(seen).toEqual([false, [], []]);
    await link.mend();
    await page.evaluate(async () => {
      await store.flush();
      await store.store("other", 1);
    });
    await wire.waitFor(1);
    expect((await wire.settled()).map(({ envelope }) => envelope?.key)).toEqual(["other"]);
  });

  test("can be destroyed when it does not exist", async ({ page, namespace }) => {
    expect(
      await page.evaluate(async (namespace) => (await aids.refusalOf(() => keystore.destroyNamespace(namespace))) === undefined, namespace),
    ).toBe(true);
  });

  test("is opened again, unseen, when another page made the store let go of it", async ({ page, openPage, openStore, namespace }) => {
    await openStore();
    const second = await openPage();
    await page.evaluate(() => store.store("k", { a: 1 }));
    await second.evaluate((namespace) => aids.disturbDatabase(namespace), namespace);
    const seen = await page.evaluate(async () => [
      await store.retrieve("k"),
      await store.store("k", { a: 2 }, { ifVersion: 1 }),
      await store.retrieve("k", { useCache: false }),
      await store.listKeys(),
      events.filter(({ type }) => type === "reset").length,
    ]);
    expect(seen).toEqual([{ a: 1 }, true, { a: 2 }, ["k"], 0]);
  });

  test("loses no operation under way when another page makes the store let go of it", async ({
    page,
    openPage,
    openStore,
    namespace,
    wire,
  }) => {
    await openStore();
    const second = await openPage();
    await page.evaluate(() => store.store("k", -1));
    const [results] = await Promise.all([
      page.evaluate(() => Promise.all(Array.from({ length: 200 }, (_, index) => store.store(`k${index}`, index)))),
      second.evaluate(async (namespace) => {
        for (let time = 0; time < 10; time++) await aids.disturbDatabase(namespace);
      }, namespace),
    ]);
    expect(new Set(results)).toEqual(new Set([true]));
    expect(await page.evaluate(async () => (await store.listKeys()).length)).toBe(201);
    await wire.waitFor(201);
  });

  test("counts its entries, bytes and writes", async ({ page, openStore, nats, openLink, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, compression: { thresholdBytes: 0 } });
    await page.evaluate(async () => {
      await store.store("a", "x".repeat(1000), { format: "text" });
      await store.store("b", "é", { format: "text" });
      await store.store("c", 1);
      await store.delete("c");
    });
    await link.cut();
    const stats = await page.evaluate(async () => {
      await store.store("d", 1);
      await store.delete("b");
      return store.getStorageStats();
    });
    expect(stats).toEqual({
      entries: 2,
      bytes: 1001,
      pendingWrites: 2,
      rejectedWrites: 0,
      quotaBytes: expect.any(Number),
      usageBytes: expect.any(Number),
    });
  });

  test("keeps what is unconfirmed when the cache is cleared", async ({ page, openStore, nats, openLink, wire, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2, e: 5 }));
    await link.cut();
    const seen = await page.evaluate(async () => {
      await store.store("b", "changed");
      await store.store("c", 3);
      await store.delete("e");
      await store.clearCache();
      const pending = (await store.pendingWrites()).map(({ key, operation }) => `${operation} ${key}`);
      return [await store.listKeys(), store.getCacheStats().size, await store.retrieve("b"), pending.toSorted()];
    });
    expect(seen).toEqual([["b", "c"], 0, "changed", ["delete e", "store b", "store c"]]);
    await link.mend();
    await page.evaluate(() => store.flush());
    const late = (await wire.waitFor(6)).slice(3).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}`);
    expect(new Set(late)).toEqual(new Set(["store b", "store c", "delete e"]));
  });
});

test.describe("listKeys", () => {
  test("takes fnmatch patterns", async ({ page, openStore }) => {
    await openStore();
    const lists = await page.evaluate(async () => {
      await store.bulkStore(
        Object.fromEntries(["a", "a1", "a2", "ab", "b1", "A1", "a[1]", "a*", "a\\b", "😀", "😀x", ".hidden", "x/y"].map((key) => [key, 1])),
      );
      const patterns = [
        "a?",
        "a[12]",
        "a[!12]",
        "[a-b]1",
        "*1",
        "?",
        "a[[]1]",
        "a[*]",
        "a\\b",
        "[]",
        "[!]",
        "a[",
        "[z-a]",
        "",
        "😀*",
        "*d*n",
        "x*y",
        "**",
      ];
      return Object.fromEntries(await Promise.all(patterns.map(async (pattern) => [pattern, await store.listKeys(pattern)] as const)));
    });
    expect(lists).toEqual({
      "a?": ["a*", "a1", "a2", "ab"],
      "a[12]": ["a1", "a2"],
      "a[!12]": ["a*", "ab"],
      "[a-b]1": ["a1", "b1"],
      "*1": ["A1", "a1", "b1"],
      "?": ["a", "😀"],
      "a[[]1]": ["a[1]"],
      "a[*]": ["a*"],
      "a\\b": ["a\\b"],
      "[]": [],
      "[!]": [],
      "a[": [],
      "[z-a]": [],
      "": [],
      "😀*": ["😀", "😀x"],
      "*d*n": [".hidden"],
      "x*y": ["x/y"],
      "**": [".hidden", "A1", "a", "a*", "a1", "a2", "a[1]", "a\\b", "ab", "b1", "x/y", "😀", "😀x"],
    });
  });

  test("combines a pattern with a tag", async ({ page, openStore }) => {
    await openStore();
    const lists = await page.evaluate(async () => {
      await store.store("user:1", 1, { tags: ["vip", "new"] });
      await store.store("user:2", 1, { tags: ["new"] });
      await store.store("order:1", 1, { tags: ["vip"] });
      await store.update("user:2", 2, { tags: ["old"] });
      return [
        await store.listKeys("user:*", { tag: "vip" }),
        await store.listKeys("*", { tag: "vip" }),
        await store.listKeys("*", { tag: "new" }),
        await store.listKeys("*", { tag: "vi" }),
      ];
    });
    expect(lists).toEqual([["user:1"], ["order:1", "user:1"], ["user:1"], []]);
  });
});

test.describe("bulkStore", () => {
  test("takes an object, an array, a Map, a generator, and nothing", async ({ page, openStore }) => {
    await openStore();
    const results = await page.evaluate(async () => {
      function* pairs() {
        yield ["g", 1] as const;
        yield ["h", 2] as const;
      }
      const all = await Promise.all([
        store.bulkStore({ a: 1, b: 2 }),
        store.bulkStore([
          ["c", 1],
          ["d", 2],
        ]),
        store.bulkStore(
          new Map([
            ["e", 1],
            ["f", 2],
          ]),
        ),
        store.bulkStore(pairs()),
        store.bulkStore({}),
        store.bulkStore([]),
      ]);
      return [...all.map((map) => [...map.keys()].join("")), await store.listKeys()];
    });
    expect(results).toEqual(["ab", "cd", "ef", "gh", "", "", ["a", "b", "c", "d", "e", "f", "g", "h"]]);
  });

  test("applies its options to every item", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.bulkStore({ a: "1", b: "2" }, { format: "text", ttl: 9, tags: ["t"] });
      return Promise.all(
        ["a", "b"].map(async (key) => {
          const { format, ttl, tags } = (await store.getMetadata(key))!;
          return [format, ttl, tags];
        }),
      );
    });
    expect(seen).toEqual([
      ["text", 9, ["t"]],
      ["text", 9, ["t"]],
    ]);
  });

  test("writes a key given twice once, with its last value", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const results = await store.bulkStore([
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]);
      return [[...results], await store.retrieve("a"), (await store.getMetadata("a"))?.version];
    });
    expect(seen).toEqual([
      [
        ["a", true],
        ["b", true],
      ],
      3,
      1,
    ]);
    await wire.waitFor(2);
    expect((await wire.settled()).map(({ envelope }) => `${envelope?.key} ${envelope?.value}`).toSorted()).toEqual(["a 3", "b 2"]);
  });

  test("writes nothing when one of 3,000 items is invalid", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const items = new Map<string, unknown>(Array.from({ length: 3_000 }, (_, index) => [`k${index}`, index]));
      const value = await aids.refusalOf(() => store.bulkStore(new Map([...items, ["bad", () => 1]])));
      const key = await aids.refusalOf(() => store.bulkStore(new Map([...items, ["", 1]])));
      return [value?.code, value?.key, value?.results ?? [], key?.code, await store.listKeys(), await store.pendingWrites()];
    });
    expect(seen).toEqual(["INVALID_VALUE", "bad", [], "INVALID_KEY", [], []]);
    expect(await wire.settled()).toEqual([]);
  });

  test("writes nothing when the last of 1,000 items is too large", async ({ page, openStore, wire }) => {
    await openStore({ maxPayloadBytes: 10_000 });
    const seen = await page.evaluate(async () => {
      const items = Object.fromEntries(Array.from({ length: 999 }, (_, index) => [`k${index}`, index as unknown]));
      const refusal = await aids.refusalOf(() => store.bulkStore({ ...items, large: "x".repeat(20_000) }));
      return [refusal?.code, refusal?.key, refusal?.results ?? [], await store.listKeys()];
    });
    expect(seen).toEqual(["PAYLOAD_TOO_LARGE", "large", [], []]);
    expect(await wire.settled()).toEqual([]);
  });

  test("refuses what is not a list of pairs", async ({ page, openStore }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      const inputs: unknown[] = [undefined, null, 1, "ab", [["a"]], ["ab"], [["a", 1, 2]], [null], [{ a: 1 }]];
      const refusals = await Promise.all(inputs.map((input) => aids.refusalOf(() => store.bulkStore(input as []))));
      return [refusals.map((refusal) => refusal?.isKeyStoreError), await store.listKeys()];
    });
    expect(codes).toEqual([Array.from({ length: 9 }, () => true), []]);
  });

  test("keeps the order of its items in its results, over 1,000 of them", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const keys = Array.from({ length: 2_500 }, (_, index) => `k${(index * 7919) % 2_500}`);
      const results = await store.bulkStore(keys.map((key, index) => [key, index] as const));
      return [[...results.keys()].join() === keys.join(), [...results.values()].every(Boolean), (await store.getStorageStats()).entries];
    });
    expect(seen).toEqual([true, true, 2_500]);
    await wire.waitFor(2_500);
    expect(new Set((await wire.settled()).map(({ subject }) => subject)).size).toBe(2_500);
  });

  test("of many leaves each as if it had been stored by itself", async ({ page, openStore, wire, namespace, nats }) => {
    await openStore();
    const seen = await page.evaluate(
      async ([servers, namespace]) => {
        const items = new Map(Array.from({ length: 200 }, (_, n) => [`k${n}`, { n }]));
        const settled = async (in_: typeof store): Promise<boolean> => {
          while ((await in_.pendingWrites()).length > 0);
          return true;
        };
        await store.bulkStore(items);
        const other = new keystore.NASKeyStore({ servers, namespace, cacheSize: 0, timeoutMs: 60_000 });
        const read = await other.bulkRetrieve(items.keys());
        const one = await other.retrieve("k77");
        const { version, pending } = (await other.getMetadata("k77"))!;
        const conflict = await aids.refusalOf(() => other.store("k0", "new", { ifVersion: 7 }));
        const results = await Promise.all([
          other.store("k0", "new", { ifVersion: 1 }),
          other.update("k1", "updated", { tags: ["t"] }),
          other.store("k2", "brief", { ttl: 100 }),
          other.delete("k3"),
        ]);
        const after = await other.bulkRetrieve(["k0", "k1", "k2", "k3", "k4"]);
        return {
          read: [...read].every(([key, value]) => (value as { n: number }).n === items.get(key)?.n) && read.size,
          one,
          metadata: [version, pending, conflict?.code],
          results,
          after: [...after],
          versions: await Promise.all(["k0", "k1", "k2", "k4"].map(async (key) => (await other.getMetadata(key))?.version)),
          tagged: await other.listKeys("*", { tag: "t" }),
          listed: await other.listKeys("k19*"),
          stats: (await other.getStorageStats()).entries,
          here: [await store.retrieve("k0"), await store.exists("k3")],
          again: [...(await store.bulkStore(items)).values()].every(Boolean),
          versionsAgain: await Promise.all(["k0", "k3", "k4"].map(async (key) => (await store.getMetadata(key))?.version)),
          // Until the confirmations are in the database, only the store that published the writes knows of them.
          settled: await settled(other),
          cleared: [await other.clearCache(), await other.listKeys()],
        };
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual({
      read: 200,
      one: { n: 77 },
      metadata: [1, false, "VERSION_CONFLICT"],
      results: [true, true, true, true],
      after: [
        ["k0", "new"],
        ["k1", "updated"],
        ["k2", "brief"],
        ["k4", { n: 4 }],
      ],
      versions: [2, 2, 2, 1],
      tagged: ["k1"],
      listed: ["k19", "k190", "k191", "k192", "k193", "k194", "k195", "k196", "k197", "k198", "k199"],
      stats: 199,
      here: ["new", false],
      again: true,
      versionsAgain: [3, 1, 2],
      settled: true,
      cleared: [undefined, []],
    });
    await wire.waitFor(404);
  });

  test("of many, kept while nobody could be reached, is whole for the page that comes after, which publishes it", async ({
    page,
    wire,
    namespace,
    nats,
  }) => {
    const queued = await page.evaluate(async (namespace) => {
      const connect = (): Promise<never> => Promise.reject(new Error("Nobody can be reached"));
      const offline = new keystore.NASKeyStore({ namespace, connect });
      const results = await offline.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${n}`, n] as const));
      await offline.store("k0", "newer");
      await offline.delete("k1");
      await offline.clearCache();
      return [[...results.values()].some(Boolean), (await offline.listKeys()).length];
    }, namespace);
    expect(queued).toEqual([false, 199]);

    await page.reload();
    const seen = await page.evaluate(
      async ([servers, namespace]) => {
        const next = new keystore.NASKeyStore({ servers, namespace, timeoutMs: 60_000 });
        const values = [await next.retrieve("k0"), await next.retrieve("k1"), (await next.bulkRetrieve(await next.listKeys())).size];
        const { pending, rejected } = await next.flush();
        return [...values, pending, rejected, await next.pendingWrites()];
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(seen).toEqual(["newer", undefined, 199, 0, 0, []]);
    await wire.waitFor(200);
    const last = new Map(
      (await wire.settled()).map(({ envelope }) => [envelope?.key, envelope?.operation === "store" ? envelope.value : undefined]),
    );
    expect([last.size, last.get("k0"), last.get("k1"), last.get("k199")]).toEqual([200, '"newer"', undefined, "199"]);
  });

  test("of more than a limit allows is evicted one by one, the first of them first, but for what was used since", async ({
    page,
    openStore,
    nats,
    namespace,
  }) => {
    await openStore();
    const listed = await page.evaluate(
      async ([servers, namespace]) => {
        // Without a limit first: what is not confirmed yet is passed over.
        await store.bulkStore(Array.from({ length: 200 }, (_, n) => [`k${String(n).padStart(3, "0")}`, n] as const));
        await store.close();
        const limited = new keystore.NASKeyStore({ servers, namespace, maxEntries: 150, timeoutMs: 60_000 });
        const settled = async () => {
          while ((await limited.getStorageStats()).entries !== 150) await new Promise((resolve) => setTimeout(resolve, 10));
        };
        await settled();
        await limited.retrieve("k050");
        await limited.store("one more", 1);
        await settled();
        return [(await limited.listKeys()).slice(0, 3), await limited.retrieve("k050", { useCache: false })];
      },
      [nats.wsUrl, namespace] as const,
    );
    expect(listed).toEqual([["k050", "k052", "k053"], 50]);
  });

  test("with ifVersion writes nothing of a small call in which one key conflicts", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("b", 0);
      const refusal = await aids.refusalOf(() => store.bulkStore({ a: 1, b: 1, c: 1 }, { ifVersion: 0 }));
      return [refusal?.code, refusal?.key, refusal?.results ?? [], await store.listKeys(), await store.retrieve("b")];
    });
    expect(seen).toEqual(["VERSION_CONFLICT", "b", [], ["b"], 0]);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("with ifVersion names what it committed before the conflict in a large call", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("k1900", "there before");
      const refusal = await aids.refusalOf(() =>
        store.bulkStore(
          Array.from({ length: 2_000 }, (_, index) => [`k${index}`, index] as const),
          { ifVersion: 0 },
        ),
      );
      const committed = new Map(refusal?.results);
      const there = (await store.listKeys()).filter((key) => key !== "k1900");
      return {
        code: refusal?.code,
        key: refusal?.key,
        some: committed.size > 0 && committed.size < 1_900,
        same: there.toSorted().join() === [...committed.keys()].toSorted().join(),
        confirmed: [...committed.values()].every(Boolean),
        kept: await store.retrieve("k1900"),
        size: committed.size,
      };
    });
    expect(seen).toMatchObject({ code: "VERSION_CONFLICT", key: "k1900", some: true, same: true, confirmed: true, kept: "there before" });
    await wire.waitFor(1 + seen.size);
    expect(await wire.settled()).toHaveLength(1 + seen.size);
  });
});

test("bulkRetrieve gives found keys only, each once, in the order asked", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    await store.bulkStore({ a: 1, b: 2, c: 3 });
    function* keys() {
      yield* ["c", "nothing", "a", "c", "b"];
    }
    return [
      [...(await store.bulkRetrieve(keys()))],
      [...(await store.bulkRetrieve(new Set(["b", "a"]), { useCache: false }))],
      [...(await store.bulkRetrieve([]))],
    ];
  });
  expect(seen).toEqual([
    [
      ["c", 3],
      ["a", 1],
      ["b", 2],
    ],
    [
      ["b", 2],
      ["a", 1],
    ],
    [],
  ]);
});
