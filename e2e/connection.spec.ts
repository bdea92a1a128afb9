import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { messageIds } from "./support/messages.ts";
import { expectNoSocketLeft } from "./support/sockets.ts";

test.describe("the connection", () => {
  test("200 concurrent stores share one connection, which is closed afterwards", async ({ page, startNats, namespace, openWire }) => {
    const server = await startNats();
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    const results = await page.evaluate(() => Promise.all(Array.from({ length: 200 }, (_, index) => store.store(`k${index}`, index))));
    expect(results).toEqual(Array.from({ length: 200 }, () => true));
    expect((await server.connections()).totalWebSockets).toBe(1);
    await expectNoSocketLeft(server);
    await wire.waitFor(200);
    expect(new Set((await wire.settled()).map(({ subject }) => subject)).size).toBe(200);
  });

  test("each of two separate stores opens a connection and closes it", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    expect((await server.connections()).totalWebSockets).toBe(0);
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
    await expectNoSocketLeft(server);
    expect(await page.evaluate(() => store.store("b", 1))).toBe(true);
    await expectNoSocketLeft(server);
    expect((await server.connections()).totalWebSockets).toBe(2);
  });

  test("reads open no connection", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    await page.evaluate(() => store.store("a", 1));
    await expectNoSocketLeft(server);
    await page.evaluate(async () => {
      await store.retrieve("a", { useCache: false });
      await store.bulkRetrieve(["a", "b"]);
      await store.exists("a");
      await store.getMetadata("a");
      await store.listKeys();
      await store.getStorageStats();
      await store.pendingWrites();
      await store.sweep();
      await store.clearCache();
    });
    expect((await server.connections()).totalWebSockets).toBe(1);
  });

  test("a connection stays open for lingerMs and serves later writes", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace, lingerMs: 600_000 });
    await page.evaluate(() => store.store("a", 1));
    expect((await server.connections()).openWebSockets).toBe(1);
    await page.evaluate(() => store.store("b", 1));
    expect(await server.connections()).toMatchObject({ openWebSockets: 1, totalWebSockets: 1 });
  });

  test("an idle connection is closed after lingerMs", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace, lingerMs: 500 });
    await page.evaluate(() => store.store("a", 1));
    await expectNoSocketLeft(server);
  });

  test("pings, flushes and deletes close their connection", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    await page.evaluate(async () => {
      await store.ping();
      await store.delete("nothing");
      await store.bulkStore({ a: 1 });
      await store.flush();
    });
    await expectNoSocketLeft(server);
  });

  test("a store connects to the next server when the first does not answer", async ({ page, startNats, namespace, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const [gone, server] = [await startNats(), await startNats()];
    await gone.stop();
    await openStoreIn(page, { servers: [gone.wsUrl, server.wsUrl], namespace });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
  });
});

test("every operation uses the connect function of another client", async ({ page, nats, namespace, wire }) => {
  const seen = await page.evaluate(
    async (options) => {
      const wsconnect = await aids.natsCoreConnect();
      let calls = 0;
      const connect = (given: object) => {
        calls++;
        return wsconnect(given);
      };
      aids.openStore({ ...options, connect });
      const results = [await store.ping(), await store.store("a", 1), (await store.bulkStore({ b: 2 })).get("b"), await store.delete("a")];
      await store.close();
      return [...results, calls > 0];
    },
    { servers: nats.wsUrl, namespace },
  );
  expect(seen).toEqual([true, true, true, true, true]);
  const messages = await wire.waitFor(3);
  expect(messages.map(({ envelope }) => envelope?.key)).toEqual(["a", "b", "a"]);
  expect(new Set(messageIds(messages)).size).toBe(3);
});

test("a write is queued and `offline` has the error when another client's connect fails", async ({ page, nats, namespace }) => {
  const seen = await page.evaluate(
    async (options) => {
      aids.openStore({ ...options, connect: () => Promise.reject(new Error("no such client")) });
      const stored = await store.store("a", 1);
      const [offline] = await aids.happened("offline");
      return [stored, [offline?.error?.message, ...(offline?.error?.causes ?? [])].join()];
    },
    { servers: nats.wsUrl, namespace },
  );
  expect(seen).toEqual([false, expect.stringContaining("no such client")]);
});
