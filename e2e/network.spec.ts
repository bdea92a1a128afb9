import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";
import { flushAll } from "./support/flush-all.ts";
import { keysOf, messageIds } from "./support/messages.ts";
import type { NatsServer } from "./support/nats-server.ts";

/** As the result of `Math.random`, it delays the first retry by a minute: what is published sooner has another cause. */
const LATE_RETRY = 60;

/** Stores in the page. Resolves to the result, or to the code of the error. */
function storeIn(page: Page, key: string): Promise<unknown> {
  return page.evaluate((key) => store.store(key, 1).catch((error: { code: string }) => error.code), key);
}

/** Closing takes the server a moment, which nobody waits for. */
async function expectNoSocketLeft(server: NatsServer): Promise<void> {
  await expect.poll(async () => (await server.connections()).openWebSockets).toBe(0);
}

test.describe("the connection", () => {
  test("is one for 200 concurrent stores, and none is left afterwards", async ({ page, startNats, namespace, openWire }) => {
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

  test("of a lone store is closed again, and the next store opens another", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    expect((await server.connections()).totalWebSockets).toBe(0);
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
    await expectNoSocketLeft(server);
    expect(await page.evaluate(() => store.store("b", 1))).toBe(true);
    await expectNoSocketLeft(server);
    expect((await server.connections()).totalWebSockets).toBe(2);
  });

  test("is not needed for reads", async ({ page, startNats, namespace }) => {
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

  test("stays for lingerMs, serves what comes meanwhile, and goes", async ({ page, startNats, namespace }) => {
    const server = await startNats();
    await openStoreIn(page, { servers: server.wsUrl, namespace, lingerMs: 500 });
    await page.evaluate(() => store.store("a", 1));
    expect((await server.connections()).openWebSockets).toBe(1);
    await page.evaluate(() => store.store("b", 1));
    expect((await server.connections()).totalWebSockets).toBe(1);
    await expectNoSocketLeft(server);
  });

  test("is closed by pings, flushes and deletes too", async ({ page, startNats, namespace }) => {
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

  test("goes to the next server where the first does not answer", async ({ page, startNats, namespace, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const [gone, server] = [await startNats(), await startNats()];
    await gone.stop();
    await openStoreIn(page, { servers: [gone.wsUrl, server.wsUrl], namespace });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
  });
});

test.describe("with the server away", () => {
  test.beforeEach(({ consoleGuard }) => consoleGuard.allowFailedSockets());

  test("a write is queued, announced as pending, and published under its id when the server is back", async ({
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
    expect(await page.evaluate(async () => [(await store.getMetadata("a"))?.pending, await store.retrieve("a")])).toEqual([true, 1]);

    await server.restart();
    const wire = await openWire(server);
    const flushed = await page.evaluate(() => store.flush());
    expect(flushed).toMatchObject({ pending: 0, rejected: 0 });
    const [online] = await page.evaluate(() => aids.happened("online"));
    expect(online).toEqual({ pending: expect.any(Number) });
    expect(await page.evaluate(async () => [await store.pendingWrites(), (await store.getMetadata("a"))?.pending])).toEqual([[], false]);
    const published = await page.evaluate(() => aids.happened("published"));
    expect(published).toEqual([{ key: "a", version: 1, operation: "store" }]);
    await wire.close();
  });

  test("an attempt that may have arrived is made again under the same Nats-Msg-Id", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: 60_000, timeoutMs: 5_000 });
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

  test("a dead port, a hanging handshake and a silent server all leave the write queued", async ({ page, nats, openLink, openStore }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: 60_000, timeoutMs: 5_000 });
    await expect.poll(() => page.evaluate(() => store.ping())).toBe(true);
    link.hang();
    const silent = await storeIn(page, "silent");
    await openStore({ servers: link.wsUrl, timeoutMs: 1_000 });
    const hanging = await storeIn(page, "hanging");
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const dead = await storeIn(page, "dead");
    expect([silent, hanging, dead]).toEqual([false, false, false]);
  });

  test("deletes, updates and bulk writes are queued as well", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => store.bulkStore({ a: 1, b: 2 }));
    await link.cut();
    const seen = await page.evaluate(async () => [
      await store.delete("a"),
      await store.delete("nothing"),
      await store.update("b", 3),
      [...(await store.bulkStore({ c: 1, d: 2 })).values()],
      (await store.pendingWrites()).map(({ key, operation, version }) => `${operation} ${key} ${version}`).toSorted(),
    ]);
    expect(seen).toEqual([true, false, false, [false, false], ["delete a 2", "delete nothing 1", "store b 2", "store c 1", "store d 1"]]);
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0 });
    const late = (await wire.waitFor(7)).slice(2).map(({ envelope }) => `${envelope?.operation} ${envelope?.key}`);
    expect(late.toSorted()).toEqual(["delete a", "delete nothing", "store b", "store c", "store d"]);
    expect(await page.evaluate(() => store.store("a", "anew").then(() => store.getMetadata("a")))).toMatchObject({ version: 1 });
  });

  test("of a key's queued versions the newest is the last one out", async ({ page, nats, openLink, openStore, wire }) => {
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

  test("what waits is published by a store that is made after a reload, with no operation", async ({
    page,
    nats,
    openLink,
    openStore,
    wire,
  }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    expect(await page.evaluate(async () => [await store.store("a", 1), await store.delete("b")])).toEqual([false, false]);
    await reload(page);
    await link.mend();
    await openStore({ servers: link.wsUrl });
    await page.evaluate(() => aids.happened("published", 2));
    const messages = await wire.waitFor(2);
    expect(keysOf(messages).toSorted()).toEqual(["a", "b"]);
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("what waits is published by itself when the server is back", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(false);
    await link.mend();
    await wire.waitFor(1);
    await page.evaluate(() => aids.happened("published"));
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("a flush that reaches nobody says what waits", async ({ page, nats, openLink, openStore }) => {
    const link = await openLink(nats);
    await link.cut();
    await openStore({ servers: link.wsUrl });
    const flushed = await page.evaluate(async () => {
      await store.bulkStore({ a: 1, b: 2 });
      return store.flush();
    });
    expect(flushed).toEqual({ published: 0, pending: 2, rejected: 0 });
  });

  test("a server that hangs gets the write when it continues", async ({ page, startNats, openWire, namespace }) => {
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

  test("a server that is killed gets what it missed when it is back", async ({ page, startNats, openLink, openWire, namespace }) => {
    const server = await startNats();
    const link = await openLink(server);
    await openStoreIn(page, { servers: link.wsUrl, namespace, lingerMs: 60_000 });
    expect(await page.evaluate(() => store.store("before", 1))).toBe(true);
    await server.kill();
    const results = await page.evaluate(() => Promise.all(["a", "b", "c"].map((key) => store.store(key, 1))));
    expect(results).toEqual([false, false, false]);

    await link.cut(); // so that nothing is published before somebody listens
    await server.restart();
    const wire = await openWire(server);
    await link.mend();
    expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
    await wire.waitFor(3);
    expect(new Set((await wire.settled()).map(({ envelope }) => envelope?.key))).toEqual(new Set(["a", "b", "c"]));
  });

  test("writes that are cut off midway all arrive in the end, none under two ids", async ({ page, nats, openLink, openStore, wire }) => {
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

  test("while the next attempt is not due, writes do not wait for the network", async ({ page, nats, openLink, namespace }) => {
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
        return [first, results[0], results[1], [...results[2].values()], attempts, events.filter(({ type }) => type === "offline").length];
      },
      [{ servers: link.wsUrl, namespace }, LATE_RETRY] as const,
    );
    expect(seen).toEqual([false, false, true, [false, false], 1, 1]);
  });

  test("flush and a page that becomes visible try before the retry is due", async ({ page, nats, openLink, namespace, wire }) => {
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

test.describe("credentials", () => {
  const password = "correct-horse-battery-staple";
  const wrong = "wrong-password-that-must-not-leak";
  const users = { config: `authorization { user: "alice", password: "${password}" }` };

  test("that are right let writes through: user and password, and token", async ({ page, startNats, openWire, namespace }) => {
    const withUser = await startNats(users);
    await openStoreIn(page, { servers: withUser.wsUrl, namespace, connection: { user: "alice", pass: password } });
    const wire = await openWire(withUser, { user: "alice", pass: password });
    expect(await page.evaluate(async () => [await store.ping(), await store.store("a", 1)])).toEqual([true, true]);
    await wire.waitFor(1);

    const withToken = await startNats({ config: `authorization { token: "${password}" }` });
    await openStoreIn(page, { servers: withToken.wsUrl, namespace: `${namespace}-token`, connection: { token: password } });
    expect(await page.evaluate(async () => [await store.ping(), await store.store("a", 1)])).toEqual([true, true]);
    expect(await page.evaluate((namespace) => aids.rawText(namespace), namespace)).not.toContain(password);
  });

  test("that are wrong queue the write, say so, and leak nowhere", async ({ page, startNats, openWire, namespace, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats(users);
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: { user: "alice", pass: wrong } });
    expect(await storeIn(page, "a")).toBe(false);
    const [offline] = await page.evaluate(() => aids.happened("offline"));
    expect(offline?.pending).toBe(1);
    expect([offline?.error?.message, ...(offline?.error?.causes ?? [])].join("\n")).toMatch(/Authorization Violation/i);

    const everything = await page.evaluate(async (namespace) => {
      const refusal = await aids.refusalOf(() => store.store("bad", undefined));
      const seen = [await store.ping(), await store.flush(), await store.pendingWrites(), events, refusal, await aids.rawText(namespace)];
      return JSON.stringify(seen);
    }, namespace);
    expect(everything).not.toContain(wrong);
    expect(everything).toContain('"key":"a"');
    await expectNoSocketLeft(server);

    const wire = await openWire(server, { user: "alice", pass: password });
    await page.evaluate(() => store.close());
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: { user: "alice", pass: password } });
    await page.evaluate(() => aids.happened("published"));
    expect((await wire.waitFor(1))[0]?.envelope?.key).toBe("a");
  });

  test("that are wrong are not in the errors of bad options", async ({ page, nats, namespace }) => {
    const refusals = await page.evaluate(
      async ([servers, namespace, wrong]) => [
        await aids.refusalOf(() => new keystore.NASKeyStore({ servers, namespace, connection: { pass: wrong, reconnect: true } })),
        await aids.refusalOf(() => new keystore.NASKeyStore({ servers, namespace, cacheSize: -1, connection: { pass: wrong } })),
        await aids.refusalOf(() => new keystore.NASKeyStore({ servers, namespace, connection: wrong as unknown as object })),
        await aids.refusalOf(() => new keystore.NASKeyStore({ servers: `http://alice:${wrong}@localhost`, namespace })),
      ],
      [nats.wsUrl, namespace, wrong] as const,
    );
    expect(refusals.map((refusal) => refusal?.code)).toEqual(Array.from({ length: 4 }, () => "INVALID_OPTION"));
    expect(JSON.stringify(refusals)).not.toContain(wrong);
  });
});

test.describe("what the server refuses", () => {
  /** The server quotes the subject in its error, as Go's %q does. */
  const denied = ["denied", 'a"quoted"b', "back\\slash", "\\x41", "tab\tand\nline", "é", "\u200b", "\ue000", "😀", "'", "\\", '"', "a.b"];
  const granted = ["granted", 'also"granted"', "granted\\too"];
  const permissions = (namespace: string): string => {
    const subjects = granted.map((key) => JSON.stringify(`_kv.${namespace}.key.${key}`));
    const user = (name: string, rights: string) => `{ user: ${name}, password: pw${rights} }`;
    return `authorization { users: [ ${user("writer", `, permissions: { publish: { allow: [${subjects.join(", ")}] } }`)}, ${user("reader", "")} ] }`;
  };
  const writer = { user: "writer", pass: "pw" };
  const reader = { user: "reader", pass: "pw" };

  for (const client of ["nats.ws", "@nats-io/nats-core"]) {
    const open = async (page: Page, servers: string, namespace: string, connection: object): Promise<void> => {
      await page.evaluate(
        async ([client, options]) => {
          const connect = client === "nats.ws" ? {} : { connect: await aids.natsCoreConnect() };
          aids.openStore({ ...options, ...connect });
        },
        [client, { servers, namespace, connection }] as const,
      );
    };

    test(`is PUBLISH_REJECTED, kept, and holds up no other, with ${client}`, async ({ page, startNats, openWire, namespace }) => {
      const server = await startNats({ config: permissions(namespace) });
      const wire = await openWire(server, reader);
      await open(page, server.wsUrl, namespace, writer);
      const seen = await page.evaluate(
        async (keys) => {
          const outcomes = await Promise.all(
            keys.map(async (key) => {
              const refusal = await aids.refusalOf(async () => {
                if (!(await store.store(key, key))) throw new Error("queued");
              });
              return refusal === undefined ? "true" : (refusal.code ?? refusal.message);
            }),
          );
          return {
            outcomes,
            rows: await store.pendingWrites(),
            rejected: events.filter(({ type }) => type === "rejected").map(({ detail }) => detail),
            published: events.filter(({ type }) => type === "published").map(({ detail }) => String(detail.key)),
            kept: [...(await store.bulkRetrieve(keys, { useCache: false })).keys()],
            stats: await store.getStorageStats(),
            flushed: await store.flush(),
          };
        },
        [...denied, ...granted],
      );
      expect(seen.outcomes).toEqual([...denied.map(() => "PUBLISH_REJECTED"), ...granted.map(() => "true")]);
      expect(seen.rows.map(({ key }) => key).toSorted()).toEqual(denied.toSorted());
      for (const row of seen.rows) {
        expect(row).toEqual({
          key: row.key,
          operation: "store",
          version: 1,
          attempts: 1,
          lastError: expect.stringMatching(/permissions violation/i),
          rejected: true,
        });
      }
      expect(seen.rejected.map(({ key }) => String(key)).toSorted()).toEqual(denied.toSorted());
      for (const { error, version } of seen.rejected) {
        expect(error).toMatchObject({ code: "PUBLISH_REJECTED", isKeyStoreError: true });
        expect(version).toBe(1);
      }
      expect(seen.published.toSorted()).toEqual(granted.toSorted());
      expect(seen.kept).toEqual([...denied, ...granted]);
      expect(seen.stats).toMatchObject({ pendingWrites: 0, rejectedWrites: denied.length });
      expect(seen.flushed).toEqual({ published: 0, pending: 0, rejected: denied.length });
      await wire.waitFor(granted.length);
      expect(keysOf(await wire.settled()).toSorted()).toEqual(granted.toSorted());
    });

    test(`is PUBLISH_REJECTED one after another too, with ${client}`, async ({ page, startNats, namespace }) => {
      const server = await startNats({ config: permissions(namespace) });
      await open(page, server.wsUrl, namespace, writer);
      const outcomes = await page.evaluate(
        async (keys) => {
          const outcomes: unknown[] = [];
          for (const key of keys) outcomes.push((await aids.refusalOf(() => store.store(key, 1)))?.code);
          return outcomes;
        },
        ["denied", "granted", 'a"quoted"b', "denied"],
      );
      expect(outcomes).toEqual(["PUBLISH_REJECTED", undefined, "PUBLISH_REJECTED", "PUBLISH_REJECTED"]);
    });
  }

  test("is false in a bulk call's results, with an event each", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    const seen = await page.evaluate(async () => {
      const results = await store.bulkStore({ denied: 1, granted: 2, é: 3 });
      return [
        [...results],
        events
          .filter(({ type }) => type === "rejected")
          .map(({ detail }) => String(detail.key))
          .toSorted(),
      ];
    });
    expect(seen).toEqual([
      [
        ["denied", false],
        ["granted", true],
        ["é", false],
      ],
      ["denied", "é"],
    ]);
  });

  test("can be a delete: the key is gone here, and the delete is kept as rejected", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    await openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    const seen = await page.evaluate(async () => {
      await aids.refusalOf(() => store.store("denied", 1));
      const refusal = await aids.refusalOf(() => store.delete("denied"));
      return [refusal?.code, refusal?.key, await store.exists("denied"), await store.pendingWrites()];
    });
    expect(seen).toMatchObject(["PUBLISH_REJECTED", "denied", false, [{ key: "denied", operation: "delete", version: 2, rejected: true }]]);
  });

  test("survives clearCache and a reload", async ({ page, startNats, namespace }) => {
    const server = await startNats({ config: permissions(namespace) });
    const open = () => openStoreIn(page, { servers: server.wsUrl, namespace, connection: writer });
    await open();
    await page.evaluate(async () => {
      await aids.refusalOf(() => store.store("denied", 1));
      await store.clearCache();
    });
    await reload(page);
    await open();
    const seen = await page.evaluate(async () => [
      await store.retrieve("denied"),
      (await store.pendingWrites()).map(({ rejected }) => rejected),
    ]);
    expect(seen).toEqual([1, [true]]);
  });

  test("can be a message over its limit: PUBLISH_REJECTED at first, PAYLOAD_TOO_LARGE once the limit is known", async ({
    page,
    startNats,
    openWire,
    namespace,
  }) => {
    const server = await startNats({ config: "max_payload: 10000" });
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace });
    const seen = await page.evaluate(async () => {
      const large = "x".repeat(20_000);
      const first = await aids.refusalOf(() => store.store("first", large));
      const second = await aids.refusalOf(() => store.store("second", large));
      const bulk = await aids.refusalOf(() => store.bulkStore({ small: 1, third: large }));
      return {
        codes: [first, second, bulk].map((refusal) => [refusal?.code, refusal?.key]),
        keys: await store.listKeys(),
        rows: (await store.pendingWrites()).map(({ key, rejected }) => [key, rejected]),
        small: await store.store("small", 1),
      };
    });
    expect(seen).toEqual({
      codes: [
        ["PUBLISH_REJECTED", "first"],
        ["PAYLOAD_TOO_LARGE", "second"],
        ["PAYLOAD_TOO_LARGE", "third"],
      ],
      keys: ["first"],
      rows: [["first", true]],
      small: true,
    });
    await wire.waitFor(1);
    expect(keysOf(await wire.settled())).toEqual(["small"]);
  });

  test("is refused before the commit where maxPayloadBytes says so", async ({ page, openStore, wire }) => {
    await openStore({ maxPayloadBytes: 5_000 });
    const seen = await page.evaluate(async () => {
      const large = "x".repeat(5_000);
      const code = async (work: () => unknown) => (await aids.refusalOf(work))?.code;
      await store.store("k", "small");
      return [
        await code(() => store.store("k", large)),
        await code(() => store.update("k", large)),
        await code(() => store.bulkStore({ other: 1, k: large })),
        await code(() => store.store("tags", 1, { tags: [large] })),
        await code(() => store.store("escaped", "\0".repeat(1_000))),
        await code(() => store.store("bytes", new Uint8Array(4_000), { format: "binary" })),
        await store.listKeys(),
        await store.retrieve("k", { useCache: false }),
      ];
    });
    expect(seen).toEqual([...Array.from({ length: 6 }, () => "PAYLOAD_TOO_LARGE"), ["k"], "small"]);
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("a message of 1 MiB is too large by default, half of one is not", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => [
      (await aids.refusalOf(() => store.store("large", "x".repeat(1024 * 1024))))?.code,
      await store.store("half", "x".repeat(512 * 1024)),
    ]);
    expect(seen).toEqual(["PAYLOAD_TOO_LARGE", true]);
  });
});

test("another client's connect is used for everything", async ({ page, nats, namespace, wire }) => {
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

test("another client's connect that fails queues the write and is told of", async ({ page, nats, namespace }) => {
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

test.describe("an aborted signal", () => {
  test("rejects with its reason before the commit, and nothing is stored or sent", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("there", 1);
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      const outcome = (work: () => Promise<unknown>) =>
        work().then(
          () => "done",
          (error: unknown) => (error === reason ? "the reason" : String(error)),
        );
      return [
        await outcome(() => store.store("k", 1, { signal })),
        await outcome(() => store.update("k", 1, { signal })),
        await outcome(() => store.update("k", "text", { signal, format: "text" })),
        await outcome(() => store.bulkStore({ k: 1 }, { signal })),
        await outcome(() => store.delete("there", { signal })),
        await outcome(() => store.retrieve("there", { signal })),
        await outcome(() => store.bulkRetrieve(["there"], { signal })),
        await outcome(() => store.flush({ signal })),
        await store.listKeys(),
        await store.pendingWrites(),
      ];
    });
    expect(seen).toEqual([...Array.from({ length: 8 }, () => "the reason"), ["there"], []]);
    await wire.waitFor(1);
    expect(await wire.settled()).toHaveLength(1);
  });

  test("in the turn of the call still comes before the commit", async ({ page, openStore, wire }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const stored = store.store("k", 1, { signal: controller.signal });
      controller.abort();
      return [await stored.catch((error: Error) => error.name), await store.exists("k")];
    });
    expect(seen).toEqual(["AbortError", false]);
    expect(await wire.settled()).toEqual([]);
  });

  test("ends the wait after the commit: false, and the write is published later", async ({ page, nats, openLink, openStore, wire }) => {
    const link = await openLink(nats);
    await openStore({ servers: link.wsUrl, lingerMs: 60_000 });
    expect(await page.evaluate(() => store.ping())).toBe(true);
    link.hang();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const writes = [
        store.store("a", 1, { signal }),
        store.bulkStore({ b: 2 }, { signal }).then((results) => results.get("b")),
        store.delete("c", { signal }),
      ];
      while ((await store.listKeys()).length < 2);
      controller.abort();
      return [await Promise.all(writes), await store.retrieve("a")];
    });
    expect(seen).toEqual([[false, false, false], 1]);
    await link.mend();
    expect(keysOf(await wire.waitFor(3)).toSorted()).toEqual(["a", "b", "c"]);
  });

  test("after the end changes nothing", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      const stored = await store.store("k", 1, { signal: controller.signal });
      controller.abort();
      return [stored, await store.retrieve("k")];
    });
    expect(seen).toEqual([true, 1]);
  });
});

test.describe("close", () => {
  test("waits for what is under way, and leaves no socket", async ({ page, startNats, openWire, namespace }) => {
    const server = await startNats();
    const wire = await openWire(server);
    await openStoreIn(page, { servers: server.wsUrl, namespace, lingerMs: 60_000 });
    const seen = await page.evaluate(async () => {
      const order: string[] = [];
      const writes = Array.from({ length: 50 }, (_, index) => store.store(`k${index}`, index));
      const all = Promise.all(writes).then((results) => {
        order.push("written");
        return results.every(Boolean);
      });
      const closing = store.close().then(() => order.push("closed"));
      await closing;
      return [await all, order];
    });
    expect(seen).toEqual([true, ["written", "closed"]]);
    await wire.waitFor(50);
    await expectNoSocketLeft(server);
  });

  test("can be called again, and again at the same time", async ({ page, openStore }) => {
    await openStore();
    const done = await page.evaluate(async () => {
      await store.store("k", 1);
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await store[Symbol.asyncDispose]();
      return "done";
    });
    expect(done).toBe("done");
  });

  test("makes later operations reject CLOSED", async ({ page, openStore }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      void store.close();
      const operations: Record<string, () => unknown> = {
        store: () => store.store("k", 1),
        retrieve: () => store.retrieve("k"),
        delete: () => store.delete("k"),
        exists: () => store.exists("k"),
        update: () => store.update("k", 1),
        bulkStore: () => store.bulkStore({}),
        bulkRetrieve: () => store.bulkRetrieve([]),
        getMetadata: () => store.getMetadata("k"),
        clearCache: () => store.clearCache(),
        listKeys: () => store.listKeys(),
        ping: () => store.ping(),
        flush: () => store.flush(),
        pendingWrites: () => store.pendingWrites(),
        getStorageStats: () => store.getStorageStats(),
        sweep: () => store.sweep(),
      };
      return Promise.all(Object.entries(operations).map(async ([name, work]) => [name, (await aids.refusalOf(work))?.code]));
    });
    expect(codes.filter(([, code]) => code !== "CLOSED")).toEqual([]);
  });

  test("lets go of the database, and another store goes on with it", async ({ page, openStore, namespace }) => {
    await openStore();
    await page.evaluate(async () => {
      await store.store("k", 1);
      await store.close();
    });
    await openStore();
    expect(await page.evaluate(() => store.retrieve("k"))).toBe(1);
    const deleted = await page.evaluate(async (namespace) => {
      await store.close();
      return new Promise((resolve) => {
        const request = indexedDB.deleteDatabase(`nas-keystore/${namespace}`);
        request.onblocked = () => resolve("blocked");
        request.onsuccess = () => resolve("deleted");
      });
    }, namespace);
    expect(deleted).toBe("deleted");
  });

  test("is what `await using` calls", async ({ page, openStore }) => {
    await openStore();
    // As text: the test runner would rewrite the syntax into helpers that are not in the page.
    const codes = await page.evaluate<unknown>(`(async () => {
      let kept, stored;
      {
        await using own = new keystore.NASKeyStore({ servers: "ws://127.0.0.1:1", namespace: "disposed" });
        kept = own;
        stored = (await own.listKeys()).length;
      }
      return [stored, (await aids.refusalOf(() => kept.exists("k"))).code];
    })()`);
    expect(codes).toEqual([0, "CLOSED"]);
  });

  test("ends once its calls have ended, though the server does not answer", async ({ page, nats, openLink, openStore }) => {
    const link = await openLink(nats);
    link.hang();
    await openStore({ servers: link.wsUrl, timeoutMs: 300 });
    const seen = await page.evaluate(async () => {
      const stored = store.store("k", 1);
      await store.close();
      return stored;
    });
    expect(seen).toBe(false);
  });
});
