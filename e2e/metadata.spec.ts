import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { sha256 } from "./support/messages.ts";

/** The time of the page at the start of a test. */
const T = 1_800_000_000_000;

test.describe("metadata and versions", () => {
  test("getMetadata returns every field of the contract and no other field", async ({ page, openStore }) => {
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
      stale: false,
      encrypted: false,
    });
  });

  test("getMetadata returns null for ttl and expiresAt when an entry never expires", async ({ page, openStore }) => {
    await openStore();
    const metadata = await page.evaluate(async () => {
      await store.store("k", 1);
      return store.getMetadata("k");
    });
    expect(metadata).toMatchObject({ ttl: null, expiresAt: null, tags: [] });
  });

  test("each write of a key keeps its creation time and increases its version", async ({ page, openStore }) => {
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
      return { version, createdAt: createdAt.getTime() - T, updatedAt: updatedAt.getTime() - T };
    }, T);
    expect(seen).toEqual({ version: 4, createdAt: 0, updatedAt: 3 });
  });

  test("concurrent writes of a key get one version each in call order", async ({ page, openStore, wire }) => {
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
      return {
        stored: await store.retrieve("k", { useCache: false }),
        cached: await store.retrieve("k"),
        version: (await store.getMetadata("k"))?.version,
      };
    });
    expect(seen).toEqual({ stored: "last", cached: "last", version: 55 });
    await wire.waitFor(55);
    const messages = await wire.settled();
    expect(messages.map(({ envelope }) => envelope?.metadata?.version)).toEqual(Array.from({ length: 55 }, (_, index) => index + 1));
  });

  test("a write after a delete has a higher version and a new creation time", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async (T) => {
      aids.setClock(T);
      await store.store("k", 1, { tags: ["t"], ttl: 100 });
      await store.store("k", 2);
      await store.delete("k");
      aids.setClock(T + 5);
      await store.update("k", 3);
      const { version, createdAt, tags, ttl } = (await store.getMetadata("k"))!;
      return { version, createdAt: createdAt.getTime() - T, tags, ttl };
    }, T);
    expect(seen).toEqual({ version: 4, createdAt: 5, tags: [], ttl: null });
    const ids = (await wire.waitFor(4)).map(({ headers }) => headers["Nats-Msg-Id"]);
    expect(new Set(ids).size).toBe(4);
  });

  test("update keeps the format, ttl and tags that it is not given", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const kept = async () => {
        const { format, ttl, tags } = (await store.getMetadata("k"))!;
        return { format, ttl, tags };
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
      return { all, noTags, noTtl, replaced: await kept(), wrongFormat: wrongFormat?.code, value: await store.retrieve("k") };
    });
    expect(seen).toEqual({
      all: { format: "text", ttl: 100, tags: ["t"] },
      noTags: { format: "text", ttl: 100, tags: [] },
      noTtl: { format: "text", ttl: null, tags: [] },
      replaced: { format: "text", ttl: null, tags: ["u"] },
      wrongFormat: "INVALID_VALUE",
      value: "f",
    });
  });

  test("update creates an absent key", async ({ page, openStore }) => {
    await openStore({ defaultTtl: 50 });
    const seen = await page.evaluate(async () => {
      await store.update("k", { a: 1 }, { tags: ["t"] });
      const { version, format, tags, ttl } = (await store.getMetadata("k"))!;
      return { version, format, tags, ttl, value: await store.retrieve("k") };
    });
    expect(seen).toEqual({ version: 1, format: "json", tags: ["t"], ttl: 50, value: { a: 1 } });
  });

  test("getMetadata returns tags in the order in which they were given", async ({ page, openStore }) => {
    await openStore();
    const tags = await page.evaluate(async () => {
      await store.store("k", 1, { tags: ["z", "a", "é", ""] });
      return (await store.getMetadata("k"))?.tags;
    });
    expect(tags).toEqual(["z", "a", "é", ""]);
  });

  test("a write with a wrong ifVersion changes nothing and sends nothing", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const code = async (work: () => unknown) => {
        const refusal = await aids.refusalOf(work);
        return refusal && [refusal.code, refusal.key];
      };
      // The properties are evaluated in this order.
      return {
        storeOfAbsentKeyWithVersion1: await code(() => store.store("k", 1, { ifVersion: 1 })),
        storeOfAbsentKeyWithVersion0: await code(() => store.store("k", 1, { ifVersion: 0 })),
        storeWithVersion0: await code(() => store.store("k", 2, { ifVersion: 0 })),
        updateWithLaterVersion: await code(() => store.update("k", 2, { ifVersion: 2 })),
        updateWithCurrentVersion: await code(() => store.update("k", 2, { ifVersion: 1 })),
        deleteWithOldVersion: await code(() => store.delete("k", { ifVersion: 1 })),
        bulkStoreWithOldVersion: await code(() => store.bulkStore({ k: 3 }, { ifVersion: 1 })),
        value: await store.retrieve("k", { useCache: false }),
        version: (await store.getMetadata("k"))?.version,
        deleteWithCurrentVersion: await code(() => store.delete("k", { ifVersion: 2 })),
        deleteOfAbsentKeyWithOldVersion: await code(() => store.delete("k", { ifVersion: 2 })),
        deleteOfAbsentKeyWithVersion0: await code(() => store.delete("k", { ifVersion: 0 })),
      };
    });
    const conflict = ["VERSION_CONFLICT", "k"];
    expect(seen).toEqual({
      storeOfAbsentKeyWithVersion1: conflict,
      storeOfAbsentKeyWithVersion0: undefined,
      storeWithVersion0: conflict,
      updateWithLaterVersion: conflict,
      updateWithCurrentVersion: undefined,
      deleteWithOldVersion: conflict,
      bulkStoreWithOldVersion: conflict,
      value: 2,
      version: 2,
      deleteWithCurrentVersion: undefined,
      deleteOfAbsentKeyWithOldVersion: conflict,
      deleteOfAbsentKeyWithVersion0: undefined,
    });
    await wire.waitFor(4);
    expect((await wire.settled()).map(({ envelope }) => envelope?.operation)).toEqual(["store", "store", "delete", "delete"]);
  });

  test("one write succeeds when two pages write a key with the same ifVersion", async ({
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
