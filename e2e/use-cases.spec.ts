import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { expectStore } from "./support/messages.ts";

/** The use cases of the Python original. */

test.describe("use cases", () => {
  test("a store can hold sessions", async ({ page, openStore, namespace, wire }) => {
    await openStore();
    await page.evaluate(async () => {
      const storeSession = (id: string, user: object) => store.store(`session:${id}`, user, { ttl: 3600, tags: ["web", "authenticated"] });
      await storeSession("abc", { user: "alice" });
    });
    expectStore((await wire.waitFor(1))[0], {
      namespace,
      key: "session:abc",
      payload: '{"user":"alice"}',
      ttl: 3600,
      tags: ["web", "authenticated"],
    });
    expect(await page.evaluate(() => store.listKeys("session:*", { tag: "authenticated" }))).toEqual(["session:abc"]);
  });

  test("a store can hold configuration", async ({ page, openStore, namespace, wire }) => {
    const config = { database: { host: "localhost", port: 5432 }, cache: { ttl: 300, size: 1000 } };
    await openStore();
    const loaded = await page.evaluate(async (config) => {
      await store.store("app:config", config, { tags: ["production"] });
      return store.retrieve("app:config");
    }, config);
    expect(loaded).toEqual(config);
    expectStore((await wire.waitFor(1))[0], { namespace, key: "app:config", payload: JSON.stringify(config), tags: ["production"] });
  });

  test("a store can cache an API call", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      let requests = 0;
      const cachedCall = async (endpoint: string) => {
        const key = `api:${endpoint}`;
        const cached = await store.retrieve(key);
        if (cached !== undefined) return cached;
        const result = { endpoint, request: ++requests };
        await store.store(key, result, { ttl: 300 });
        return result;
      };
      return { first: await cachedCall("/users"), again: await cachedCall("/users"), other: await cachedCall("/posts"), requests };
    });
    expect(seen).toEqual({
      first: { endpoint: "/users", request: 1 },
      again: { endpoint: "/users", request: 1 },
      other: { endpoint: "/posts", request: 2 },
      requests: 2,
    });
    expect(await wire.settled()).toHaveLength(2);
  });
});

test("the results of store distinguish published, queued and invalid writes", async ({ page, startNats, namespace, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  const safeStore = (key: string, value?: number) =>
    page.evaluate(
      async ([key, value]) => {
        try {
          return (await store.store(key, value)) ? "stored" : "queued";
        } catch (error) {
          return error instanceof keystore.KeyStoreError ? error.code : "unexpected";
        }
      },
      [key, value] as const,
    );
  expect(await safeStore("a", 1)).toBe("stored");
  await server.stop();
  expect(await safeStore("b", 2)).toBe("queued");
  expect(await safeStore("c")).toBe("INVALID_VALUE");
  expect(await safeStore("", 1)).toBe("INVALID_KEY");
});
