import type { Page } from "@playwright/test";
import { jwtAuthenticator } from "nats";
import { BACKEND, BILLING, logIn, openWithPassword, PASSWORDS, SHOP, TOKEN } from "./support/production/accounts.ts";
import { LONG_MS } from "./support/deadline.ts";
import { expect, test } from "./support/production/fixtures.ts";
import { makeIssuer } from "./support/production/jwts.ts";

/** The configurations of docs/PRODUCTION.md and docs/production, tested with a real server, TLS and a browser. */

const asBackend = { user: "backend", pass: BACKEND };

/** Flushes until no write is pending. An attempt with the earlier credentials may still be running at the first call. */
async function flushed(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
}

/** Moves the page's clock on. */
async function later(page: Page, ms: number): Promise<void> {
  await page.evaluate((ms) => {
    const { now } = Date;
    Date.now = () => now() + ms;
  }, ms);
}

test.describe("wss with users and passwords", () => {
  test("a write and a delete arrive over wss", async ({ page, start, listen }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const ear = await listen(server, "_kv.>", asBackend);
    await logIn(page, { user: "shop", pass: SHOP });
    await openWithPassword(page, server);
    expect(await page.evaluate(() => isSecureContext)).toBe(true);
    expect(await page.evaluate(() => store.store("cart", { items: 2 }))).toBe(true);
    expect(await page.evaluate(() => store.delete("cart"))).toBe(true);
    const [stored, deleted] = await ear.waitFor(2);
    expect(stored).toMatchObject({ subject: "_kv.shop.key.cart", data: expect.stringContaining('"operation":"store"') });
    expect(deleted).toMatchObject({ subject: "_kv.shop.key.cart", data: expect.stringContaining('"operation":"delete"') });
    // Headers are on.
    expect(stored?.id).toMatch(/./);
    expect(deleted?.id).not.toBe(stored?.id);
    // The server does not warn of anything, plain-text passwords for instance.
    expect(server.log()).not.toMatch(/\[(?:WRN|FTL)\]/);
  });

  test("the server refuses a page of another origin even with valid credentials", async ({
    visit,
    app,
    stranger,
    start,
    listen,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const ear = await listen(server, "_kv.>", asBackend);
    const strange = await visit(stranger);
    await logIn(strange, { user: "shop", pass: SHOP });
    await openWithPassword(strange, server);
    expect(await strange.evaluate(() => store.store("cart", "stolen"))).toBe(false);
    const [offline] = await strange.evaluate(() => login.waitFor("offline"));
    expect(offline).toContain("pending: 1");
    expect(offline).toContain(`No NATS server answers at ${new URL(server.wsUrl).host}`);
    expect(await strange.evaluate(() => store.pendingWrites())).toMatchObject([{ key: "cart", rejected: false }]);
    expect(await strange.evaluate(() => store.flush())).toEqual({ published: 0, pending: 1, rejected: 0 });

    const own = await visit(app);
    await logIn(own, { user: "shop", pass: SHOP });
    await openWithPassword(own, server);
    expect(await own.evaluate(() => store.store("cart", "mine"))).toBe(true);
    await ear.waitFor(1);
    expect((await ear.settled()).map(({ data }) => data)).toEqual([expect.stringContaining('\\"mine\\"')]);
  });

  test("the server rejects a user of another namespace, and the right user publishes the rejected write", async ({
    page,
    start,
    listen,
  }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const ear = await listen(server, "_kv.>", asBackend);
    await logIn(page, { user: "billing", pass: BILLING });
    await openWithPassword(page, server, "shop");
    expect(await page.evaluate(() => login.outcome(() => store.store("cart", 1)))).toBe("PUBLISH_REJECTED");
    const [rejected] = await page.evaluate(() => login.waitFor("rejected"));
    expect(rejected).toContain("key: cart");
    expect(rejected).toContain("_kv.shop.key.cart");
    expect(await page.evaluate(() => store.pendingWrites())).toMatchObject([
      { key: "cart", operation: "store", version: 1, rejected: true },
    ]);
    // Kept here, and not tried again by itself.
    expect(await page.evaluate(() => store.retrieve("cart"))).toBe(1);
    expect(await page.evaluate(() => store.flush())).toEqual({ published: 0, pending: 0, rejected: 1 });
    expect(await ear.settled()).toEqual([]);

    await logIn(page, { user: "shop", pass: SHOP });
    expect(await page.evaluate(() => store.retryRejected())).toBe(1);
    expect(await ear.waitFor(1)).toMatchObject([{ subject: "_kv.shop.key.cart" }]);
    await page.evaluate(() => login.waitFor("published"));
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("the server rejects writes to namespaces within a permitted one and to namespaces with its name as a prefix", async ({
    page,
    start,
    listen,
  }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const ear = await listen(server, "_kv.>", asBackend);
    await logIn(page, { user: "shop", pass: SHOP });
    for (const namespace of ["shop.key.x", "shop.staging", "shop2", "sho"]) {
      await openWithPassword(page, server, namespace);
      expect(await page.evaluate(() => login.outcome(() => store.store("k", 1))), namespace).toBe("PUBLISH_REJECTED");
    }
    expect(await ear.settled()).toEqual([]);
  });

  test("the user of a page cannot subscribe and cannot connect over TCP", async ({ page, start, listen }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const refused = await page.evaluate(
      async ([servers, user, pass]) => {
        const connection = await nats.wsconnect({ servers, user, pass, reconnect: false });
        // Not closed: nats-server 2.9 answers the close of nats-core with a broken frame, about which Chromium complains.
        return new Promise<string>((resolve) => {
          connection.subscribe("_kv.shop.key.>", { callback: (error) => resolve(error?.message ?? "a message") });
        });
      },
      [server.wsUrl, "shop", SHOP] as const,
    );
    expect(refused).toMatch(/permissions violation for subscription/i);
    await expect(listen(server, "_kv.>", { user: "shop", pass: SHOP })).rejects.toThrow("Authorization Violation");
  });

  test("a write is queued when the password is wrong, and the next connection uses the password that the authenticator returns then", async ({
    page,
    start,
    listen,
  }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const ear = await listen(server, "_kv.>", asBackend);
    await logIn(page, { user: "shop", pass: "wrong-9f3b" });
    await openWithPassword(page, server);
    expect(await page.evaluate(() => login.outcome(() => store.store("cart", 1)))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("Authorization Violation");
    expect(await page.evaluate(() => store.pendingWrites())).toMatchObject([{ key: "cart", rejected: false }]);

    await logIn(page, { pass: SHOP });
    await flushed(page);
    await page.evaluate(() => login.waitFor("online"));
    expect(await ear.waitFor(1)).toMatchObject([{ subject: "_kv.shop.key.cart" }]);
    expect(await page.evaluate(() => store.store("cart", 2))).toBe(true);
  });

  test("a write is queued and `offline` has the error when the authenticator throws", async ({ page, start }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    await page.evaluate(
      ([servers, pass]) => {
        // The next attempt may follow at once.
        const authenticator = () => {
          if (!document.body.hasAttribute("data-logged-in")) throw new Error("nobody is logged in");
          return { user: "shop", pass };
        };
        login.openWithFixed({ servers, namespace: "shop" }, { authenticator });
      },
      [server.wsUrl, SHOP] as const,
    );
    expect(await page.evaluate(() => store.store("cart", 1))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("nobody is logged in");
    await page.evaluate(() => document.body.setAttribute("data-logged-in", ""));
    await flushed(page);
  });

  test("the server refuses the credentials when the authenticator returns a promise to nats.ws", async ({ page, start }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    await page.evaluate(
      ([servers, pass]) => login.openWithFixed({ servers, namespace: "shop" }, { authenticator: async () => ({ user: "shop", pass }) }),
      [server.wsUrl, SHOP] as const,
    );
    expect(await page.evaluate(() => store.store("cart", 1))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("Authorization Violation");
  });

  test("a message over the server's limit rejects PAYLOAD_TOO_LARGE before it is sent", async ({ page, start }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    await logIn(page, { user: "shop", pass: SHOP });
    await page.evaluate((where) => login.openWithPassword(where), { servers: server.wsUrl, namespace: "shop" });
    const outcome = await page.evaluate(() => login.outcome(() => store.store("big", "x".repeat(1_048_576), { format: "text" })));
    expect(outcome).toBe("PAYLOAD_TOO_LARGE");
    expect(await page.evaluate(() => store.store("small", "x".repeat(1_000_000), { format: "text" }))).toBe(true);
  });
});

test.describe("wss with a token", () => {
  test("a write is queued when the token is wrong, and the next connection uses the token that the authenticator returns then", async ({
    page,
    start,
    listen,
  }) => {
    const server = await start({ configuration: "nats-server-token.conf", secrets: { NATS_TOKEN: TOKEN } });
    const ear = await listen(server, "_kv.>", { token: TOKEN });
    await logIn(page, { token: "wrong-41d7" });
    await page.evaluate((where) => login.openWithToken(where), { servers: server.wsUrl, namespace: "shop" });
    expect(await page.evaluate(() => store.store("cart", 1))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("Authorization Violation");

    await logIn(page, { token: TOKEN });
    await flushed(page);
    expect(await ear.waitFor(1)).toMatchObject([{ subject: "_kv.shop.key.cart" }]);
  });
});

test.describe("wss with JWTs", () => {
  test("a write is queued while the JWT is expired, and a new JWT publishes it", async ({ page, start, listen }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const { jwt, seed } = await issuer.backend();
    const ear = await listen(server, "_kv.>", { authenticator: jwtAuthenticator(jwt, seed) });
    const publicKey = await page.evaluate(() => login.publicKey);

    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }) });
    await page.evaluate((where) => login.openWithJwt(where), { servers: server.wsUrl, namespace: "shop" });
    expect(await page.evaluate(() => store.store("before", 1))).toBe(true);

    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: -1 }) });
    expect(await page.evaluate(() => store.store("after", 1))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toMatch(/Authorization Violation|Authentication Expired/);
    expect((await ear.settled()).map(({ subject }) => subject)).toEqual(["_kv.shop.key.before"]);

    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }) });
    await flushed(page);
    expect((await ear.waitFor(2)).map(({ subject }) => subject)).toEqual(["_kv.shop.key.before", "_kv.shop.key.after"]);
  });

  test("an idle connection ends when its JWT expires, and the next write connects with the new JWT", async ({ page, start, listen }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const { jwt, seed } = await issuer.backend();
    const ear = await listen(server, "_kv.>", { authenticator: jwtAuthenticator(jwt, seed) });
    const publicKey = await page.evaluate(() => login.publicKey);

    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 10 }) });
    await page.evaluate((where) => login.openWithJwt(where), { servers: server.wsUrl, namespace: "shop", lingerMs: LONG_MS });
    expect(await page.evaluate(() => store.store("before", 1))).toBe(true);
    expect(await server.openWebSockets()).toBe(1);
    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }) });
    await expect.poll(() => server.openWebSockets()).toBe(0);
    expect(await page.evaluate(() => store.store("after", 1))).toBe(true);
    expect((await ear.waitFor(2)).map(({ subject }) => subject)).toEqual(["_kv.shop.key.before", "_kv.shop.key.after"]);
  });

  test("the server refuses a JWT of another namespace or of another key pair", async ({ page, start, listen }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const { jwt, seed } = await issuer.backend();
    const ear = await listen(server, "_kv.>", { authenticator: jwtAuthenticator(jwt, seed) });
    const publicKey = await page.evaluate(() => login.publicKey);

    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "billing", seconds: 60 }) });
    await page.evaluate((where) => login.openWithJwt(where), { servers: server.wsUrl, namespace: "shop" });
    expect(await page.evaluate(() => login.outcome(() => store.store("cart", 1)))).toBe("PUBLISH_REJECTED");

    const somebody = await page.evaluate(() => nats.nkeys.createUser().getPublicKey());
    await logIn(page, { jwt: await issuer.sign(somebody, { namespace: "shop", seconds: 60 }) });
    expect(await page.evaluate(() => store.store("cart", 2))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("Authorization Violation");
    expect(await ear.settled()).toEqual([]);
  });

  test("a store requests a JWT before it connects, and again when the JWT is about to expire", async ({
    page,
    start,
    listen,
    consoleGuard,
  }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const { jwt, seed } = await issuer.backend();
    const ear = await listen(server, "_kv.>", { authenticator: jwtAuthenticator(jwt, seed) });
    const publicKey = await page.evaluate(() => login.publicKey);
    let asked = 0;
    let failing = false;
    await page.route("**/nats-jwt", async (route) => {
      asked++;
      // 204 is no login, and unlike 401 it makes the browser write nothing on the console.
      if (failing) return route.fulfill({ status: 204 });
      // Not the key in the request's body: Playwright does not see that in Firefox.
      return route.fulfill({ json: { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }), expiresInMs: 60_000 } });
    });
    await page.evaluate((where) => login.openWithFetchedJwt(where), { servers: server.wsUrl, namespace: "shop" });
    expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
    expect(await page.evaluate(() => store.store("b", 1))).toBe(true);
    expect(asked).toBe(1);
    await later(page, 40_000);
    expect(await page.evaluate(() => store.store("c", 1))).toBe(true);
    expect(asked).toBe(2);

    await later(page, 40_000);
    failing = true;
    expect(await page.evaluate(() => store.store("d", 1))).toBe(false);
    await page.evaluate(() => login.waitFor("offline"));
    failing = false;
    await flushed(page);
    expect((await ear.waitFor(4)).map(({ subject }) => subject)).toEqual(["a", "b", "c", "d"].map((key) => `_kv.shop.key.${key}`));
    expect(consoleGuard.problems()).toEqual([]);
  });

  test("a write is queued when the login service never answers, and the next attempt publishes it", async ({ page, start }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const publicKey = await page.evaluate(() => login.publicKey);
    await logIn(page, { jwt: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }) });
    const first = await page.evaluate(
      async ([servers]) => {
        let attempts = 0;
        globalThis.store = new keystore.NASKeyStore({
          servers,
          namespace: "shop",
          timeoutMs: 2_000,
          connect: (options) => {
            if (++attempts === 1) return new Promise(() => {});
            return nats.wsconnect({
              ...options,
              authenticator: nats.jwtAuthenticator(login.credentials.jwt, new TextEncoder().encode(login.seed)),
            });
          },
        });
        return store.store("a", 1);
      },
      [server.wsUrl] as const,
    );
    expect(first).toBe(false);
    await flushed(page);
  });

  test("a JWT in an HttpOnly cookie authenticates a store", async ({ page, context, app, start, listen }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const { jwt, seed } = await issuer.backend();
    const ear = await listen(server, "_kv.>", { authenticator: jwtAuthenticator(jwt, seed) });
    await page.evaluate((where) => login.openWithCookie(where), { servers: server.wsUrl, namespace: "shop" });
    expect(await page.evaluate(() => store.store("cart", 1))).toBe(false);
    expect((await page.evaluate(() => login.waitFor("offline")))[0]).toContain("Authorization Violation");

    const publicKey = await page.evaluate(() => login.publicKey);
    const value = await issuer.sign(publicKey, { namespace: "shop", seconds: 60, bearer: true });
    await context.addCookies([{ name: "nats_jwt", value, url: app.origin, httpOnly: true, secure: true, sameSite: "Strict" }]);
    expect(await page.evaluate(() => document.cookie)).toBe("");
    await flushed(page);
    expect(await ear.waitFor(1)).toMatchObject([{ subject: "_kv.shop.key.cart" }]);
  });
});
