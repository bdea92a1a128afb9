import { LONG_MS } from "./support/deadline.ts";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";
import { flushAll } from "./support/flush-all.ts";
import { keysOf, messageIds } from "./support/messages.ts";
import { expectNoSocketLeft } from "./support/sockets.ts";
import { storeIn } from "./support/store-in.ts";

/** A result of `Math.random` that delays the first retry by a minute, so that an earlier publish has another cause. */
const LATE_RETRY = 60;

test.describe("an unreachable server", () => {
  test.beforeEach(({ consoleGuard }) => consoleGuard.allowFailedSockets());

  test("a write is queued while the server is unreachable and published when it is reachable again", async ({
    page,
    startNats,
    openWire,
    namespace,
  }) => {
    const server = await startNats();
    await server.stop();
    await openStoreIn(page, { servers: server.wsUrl, namespace });

    expect(await storeIn(page, "a")).toBe(false);
    const [offline] = await page.evaluate(() => aids.happened("offline"));
    expect(offline).toEqual({ pending: 1, error: expect.objectContaining({ isError: true, message: expect.stringMatching(/./) }) });
    // The first attempt may have failed before the write was committed.
    expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 1, rejected: 0 });
    const rows = await page.evaluate(() => store.pendingWrites());
    expect(rows).toEqual([
      { key: "a", operation: "store", version: 1, attempts: expect.any(Number), lastError: expect.stringMatching(/./), rejected: false },
    ]);
    expect(rows[0]?.attempts).toBeGreaterThanOrEqual(1);
    expect(
      await page.evaluate(async () => ({ pending: (await store.getMetadata("a"))?.pending, value: await store.retrieve("a") })),
    ).toEqual({ pending: true, value: 1 });

    await server.restart();
    const wire = await openWire(server);
    const flushed = await page.evaluate(() => store.flush());
    expect(flushed).toMatchObject({ pending: 0, rejected: 0 });
    const [online] = await page.evaluate(() => aids.happened("online"));
    expect(online).toEqual({ pending: expect.any(Number) });
    expect(
      await page.evaluate(async () => ({ pendingWrites: await store.pendingWrites(), pending: (await store.getMetadata("a"))?.pending })),
    ).toEqual({ pendingWrites: [], pending: false });
    const published = await page.evaluate(() => aids.happened("published"));
    expect(published).toEqual([{ key: "a", version: 1, operation: "store" }]);
    await wire.close();
  });

  test("a write whose confirmation is lost is sent again with the same Nats-Msg-Id", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: LONG_MS, timeoutMs: 5_000 });
    await expect.poll(() => page.evaluate(() => store.ping())).toBe(true);
    link.muffle();
    expect(await storeIn(page, "a")).toBe(false);
    await wire.waitFor(1);

    await link.mend();
    await flushAll(page);
    const messages = await wire.waitFor(2);
    expect(new Set(messageIds(messages)).size).toBe(1);
    expect(messages[1]?.envelope).toEqual(messages[0]?.envelope);
  });

  test("a write is queued when the port is closed, the handshake hangs or the server is silent", async ({
    page,
    nats,
    openLink,
    openStore,
  }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: LONG_MS, timeoutMs: 5_000 });
    await expect.poll(() => page.evaluate(() => store.ping())).toBe(true);
    link.hang();
    const silent = await storeIn(page, "silent");
    await openStore({ servers: link.wsUrl, timeoutMs: 1_000 });
    const hanging = await storeIn(page, "hanging");
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const closed = await storeIn(page, "closed");
    expect({ silent, hanging, closed }).toEqual({ silent: false, hanging: false, closed: false });
  });

  test("deletes, updates and bulk writes are queued while the server is unreachable", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
    await link.cut();
    const seen = await page.evaluate(async () => ({
      delete: await store.delete("a"),
      deleteOfAbsentKey: await store.delete("nothing"),
      update: await store.update("b", 3),
      bulkStore: [...(await store.bulkStore({ c: 1, d: 2 })).values()],
      pending: (await store.pendingWrites()).map(({ key, operation, version }) => `${operation} ${key} ${version}`).toSorted(),
    }));
    expect(seen).toEqual({
      delete: true,
      deleteOfAbsentKey: false,
      update: false,
      bulkStore: [false, false],
      pending: ["delete a 2", "delete nothing 1", "store b 2", "store c 1", "store d 1"],
    });
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0 });
    const late = (await wire.waitFor(7)).slice(2).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}`);
    expect(late.toSorted()).toEqual(["delete a", "delete nothing", "store b", "store c", "store d"]);
    expect(await page.evaluate(() => store.store("a", "new").then(() => store.getMetadata("a")))).toMatchObject({ version: 3 });
  });

  test("the newest version of a key is published last when several are queued", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    await link.cut();
    await page.evaluate(async () => {
      for (let version = 1; version <= 5; version++) await store.store("a", version);
      await store.store("b", 1);
      await store.delete("b");
    });
    expect(await page.evaluate(() => store.pendingWrites())).toHaveLength(2);
    await link.mend();
    await page.evaluate(() => store.flush());
    await wire.waitFor(2);
    const messages = await wire.settled();
    const last = (key: string) => messages.findLast(({ envelope }) => envelope?.key === key)?.envelope;
    expect(last("a")?.metadata?.version).toBe(5);
    expect(last("b")).toMatchObject({ operation: "delete", version: 2 });
  });

  test("a store publishes queued writes after a reload without an operation", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    expect(await page.evaluate(async () => ({ store: await store.store("a", 1), delete: await store.delete("b") }))).toEqual({
      store: false,
      delete: false,
    });
    await reload(page);
    await link.mend();
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => aids.happened("published", 2));
    const messages = await wire.waitFor(2);
    expect(keysOf(messages).toSorted()).toEqual(["a", "b"]);
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("a queued write is published without an operation when the server is reachable again", async ({
    page,
    nats,
    openLink,
    openStore,
    wire,
  }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(false);
    await link.mend();
    await wire.waitFor(1);
    await page.evaluate(() => aids.happened("published"));
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("flush returns the number of queued writes when no server answers", async ({ page, nats, openLink, openStore }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const flushed = await page.evaluate(async () => {
      await store.bulkStore({ a: 1, b: 2 });
      return store.flush();
    });
    expect(flushed).toEqual({ published: 0, pending: 2, rejected: 0 });
  });

  test("a write is published when a suspended server continues", async ({ page, startNats, openWire, namespace }) => {
    const server = await startNats();
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace, timeoutMs: 5_000 });
    expect(await page.evaluate(() => store.store("before", 1))).toBe(true);
    server.suspend();
    expect(await storeIn(page, "a")).toBe(false);
    server.resume();
    await page.evaluate(() => aids.happened("published", 2));
    expect((await wire.waitFor(2)).at(-1)?.envelope?.key).toBe("a");
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
    await expectNoSocketLeft(server);
  });

  test("writes are published when a killed server is started again", async ({ page, startNats, openLink, openWire, namespace }) => {
    const server = await startNats();
    const link = await openLink(server);
    await openStoreIn(page, { servers: link.wsUrl, namespace, lingerMs: LONG_MS });
    expect(await page.evaluate(() => store.store("before", 1))).toBe(true);
    await server.kill();
    const results = await page.evaluate(() => Promise.all(["a", "b", "c"].map((key) => store.store(key, 1))));
    expect(results).toEqual([false, false, false]);

    await link.cut(); // so that nothing is published before the wire is open
    await server.restart();
    const wire = await openWire(server);
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
    await wire.waitFor(3);
    expect(new Set((await wire.settled()).map(({ envelope }) => envelope?.key))).toEqual(new Set(["a", "b", "c"]));
  });

  test("every write arrives with one id when the connection breaks in the middle", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    const writing = page.evaluate(() =>
      Promise.all(Array.from({ length: 600 }, (_, index) => store.store(`k${index}`, "x".repeat(5_000)))),
    );
    await wire.waitFor(1);
    await link.cut();
    const results = await writing;
    const confirmed = results.flatMap((result, index) => (result ? [`k${index}`] : []));
    const before = new Set((await wire.settled()).map(({ envelope }) => envelope?.key));
    expect(
      confirmed.filter((key) => !before.has(key)),
      "confirmed, but never sent",
    ).toEqual([]);

    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
    const messages = await wire.settled();
    const idsOf = new Map<string | undefined, Set<string | undefined>>();
    for (const { envelope, headers } of messages) {
      idsOf.set(envelope?.key, (idsOf.get(envelope?.key) ?? new Set()).add(headers["Nats-Msg-Id"]));
    }
    expect(idsOf.size).toBe(600);
    expect([...idsOf.values()].filter((ids) => ids.size !== 1)).toEqual([]);
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("writes do not wait for the network while the next attempt is not due", async ({ page, nats, openLink, namespace }) => {
    const link = await openLink(nats);
    await link.cut();
    const seen = await page.evaluate(
      async ([options, random]) => {
        let attempts = 0;
        globalThis.WebSocket = new Proxy(WebSocket, {
          construct: (target, [url]: [string]) => {
            attempts++;
            return new target(url);
          },
        });
        Math.random = () => random;
        aids.openStore(options);
        const first = await store.store("first", 1);
        const results = await Promise.all([store.store("a", 1), store.delete("first"), store.bulkStore({ b: 1, c: 1 })]);
        return {
          first,
          store: results[0],
          delete: results[1],
          bulkStore: [...results[2].values()],
          attempts,
          offlineEvents: events.filter(({ type }) => type === "offline").length,
        };
      },
      [{ servers: link.wsUrl, namespace }, LATE_RETRY] as const,
    );
    expect(seen).toEqual({ first: false, store: false, delete: true, bulkStore: [false, false], attempts: 1, offlineEvents: 1 });
  });

  test("flush and a page that becomes visible publish before the next attempt is due", async ({
    page,
    nats,
    openLink,
    namespace,
    wire,
  }) => {
    const link = await openLink(nats);
    const leaveQueued = async (name: string): Promise<void> => {
      await link.cut();
      await page.evaluate((random) => void (Math.random = () => random), LATE_RETRY);
      await openStoreIn(page, { servers: link.wsUrl, namespace: `${namespace}-${name}` });
      expect(await storeIn(page, name)).toBe(false);
      await link.mend();
    };
    await leaveQueued("flushed");
    expect(await page.evaluate(() => store.flush())).toEqual({ published: 1, pending: 0, rejected: 0 });
    await wire.waitFor(1);

    await leaveQueued("woken");
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await page.evaluate(() => aids.happened("published"));
    expect(keysOf(await wire.waitFor(2))).toEqual(["flushed", "woken"]);
  });
});
