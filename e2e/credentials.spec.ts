import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { expectNoSocketLeft } from "./support/sockets.ts";
import { storeIn } from "./support/store-in.ts";

test.describe("credentials", () => {
  const password = "correct-horse-battery-staple";
  const wrong = "wrong-password-that-must-not-leak";
  const users = { config: `authorization { user: "alice", password: "${password}" }` };

  test("writes are published when the password or the token is right", async ({ page, startNats, openWire, namespace }) => {
    const withUser = await startNats(users);
    await openStoreIn(page, { servers: withUser.wsUrl, namespace, connection: { user: "alice", pass: password } });
    const wire = await openWire(withUser, { user: "alice", pass: password });
    expect(await page.evaluate(async () => ({ ping: await store.ping(), store: await store.store("a", 1) }))).toEqual({
      ping: true,
      store: true,
    });
    await wire.waitFor(1);

    const withToken = await startNats({ config: `authorization { token: "${password}" }` });
    await openStoreIn(page, { servers: withToken.wsUrl, namespace: `${namespace}-token`, connection: { token: password } });
    expect(await page.evaluate(async () => ({ ping: await store.ping(), store: await store.store("a", 1) }))).toEqual({
      ping: true,
      store: true,
    });
    expect(await page.evaluate((namespace) => aids.rawText(namespace), namespace)).not.toContain(password);
  });

  test("a write is queued and the password stays secret when the credentials are wrong", async ({
    page,
    startNats,
    openWire,
    namespace,
    consoleGuard,
  }) => {
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

  test("the errors of invalid options contain no password", async ({ page, nats, namespace }) => {
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
