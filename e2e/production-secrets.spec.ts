import type { Page } from "@playwright/test";
import { BILLING, logIn, openWithPassword, PASSWORDS, SHOP, TOKEN } from "./support/production/accounts.ts";
import { expect, test } from "./support/production/fixtures.ts";
import { makeIssuer } from "./support/production/jwts.ts";
import type { ProductionServer } from "./support/production/server.ts";

test.describe("secret credentials", () => {
  /** Everything that happens to a store whose credentials are wrong, then right for another namespace, then right. */
  async function goThroughEverything(page: Page, changeTo: (credentials: "wrong" | "other" | "right") => Promise<void>): Promise<void> {
    await changeTo("wrong");
    await page.evaluate(() => login.outcome(() => store.store("a", { b: 1 })));
    await page.evaluate(() => login.waitFor("offline"));
    await page.evaluate(() => login.outcome(() => store.flush()));
    await changeTo("other");
    await page.evaluate(() => login.outcome(() => store.flush()));
    await page.evaluate(() => login.outcome(() => store.store("b", { b: 1 })));
    await page.evaluate(() => login.waitFor("rejected"));
    await changeTo("right");
    await page.evaluate(() => login.outcome(() => store.retryRejected()));
    await page.evaluate(() => login.outcome(() => store.flush()));
    await page.evaluate(() => login.waitFor("published"));
    await page.evaluate(() => login.outcome(() => store.store("c", "x".repeat(2_000_000))));
    await page.evaluate(() => login.outcome(() => store.store("", 1)));
    await changeTo("wrong");
    await page.evaluate(() => login.outcome(() => store.store("d", 1)));
    await page.evaluate(() => login.waitFor("offline", 2));
  }

  async function everythingSaid(page: Page, consoleLines: string[], server: ProductionServer): Promise<string> {
    const inside = await page.evaluate(async () =>
      JSON.stringify([login.reportedTexts, await store.pendingWrites(), await login.everythingKept()]),
    );
    return [inside, ...consoleLines, server.log()].join("\n");
  }

  test("passwords from an authenticator appear in no error, event, console line, log or database", async ({
    page,
    start,
    consoleLines,
  }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    await openWithPassword(page, server);
    await goThroughEverything(page, async (which) => {
      await logIn(
        page,
        { wrong: { user: "shop", pass: "wrong-9f3b" }, other: { user: "billing", pass: BILLING }, right: { user: "shop", pass: SHOP } }[
          which
        ],
      );
    });
    const said = await everythingSaid(page, consoleLines, server);
    expect(said).toContain("Authorization Violation");
    expect(said).toContain("PUBLISH_REJECTED");
    for (const secret of ["wrong-9f3b", BILLING, SHOP]) expect(said).not.toContain(secret);
  });

  test("fixed passwords and tokens appear in no error, event, console line, log or database", async ({ page, start, consoleLines }) => {
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const where = { servers: server.wsUrl, namespace: "shop" };
    for (const connection of [
      { user: "shop", pass: "wrong-9f3b" },
      { token: "wrong-9f3b" },
      { user: "billing", pass: BILLING },
      { user: "shop", pass: SHOP },
    ]) {
      await page.evaluate(([where, connection]) => login.openWithFixed(where, connection), [where, connection] as const);
      await page.evaluate(() => login.outcome(() => store.store("a", { b: 1 })));
    }
    const refused = await page.evaluate(
      ([where, pass]) => login.outcome(async () => login.openWithFixed(where, { pass, servers: "wss://elsewhere" })),
      [where, SHOP] as const,
    );
    expect(refused).toBe("INVALID_OPTION");
    const said = await everythingSaid(page, consoleLines, server);
    for (const secret of ["wrong-9f3b", BILLING, SHOP]) expect(said).not.toContain(secret);
  });

  test("tokens from an authenticator appear in no error, event, console line, log or database", async ({ page, start, consoleLines }) => {
    const server = await start({ configuration: "nats-server-token.conf", secrets: { NATS_TOKEN: TOKEN } });
    await page.evaluate((where) => login.openWithToken(where), { servers: server.wsUrl, namespace: "shop" });
    await logIn(page, { token: "wrong-41d7" });
    await page.evaluate(() => login.outcome(() => store.store("a", 1)));
    await logIn(page, { token: TOKEN });
    await page.evaluate(() => login.outcome(() => store.flush()));
    await page.evaluate(() => login.outcome(() => store.store("b", 1)));
    const said = await everythingSaid(page, consoleLines, server);
    expect(said).toContain("Authorization Violation");
    for (const secret of ["wrong-41d7", TOKEN]) expect(said).not.toContain(secret);
  });

  test("JWTs and seeds appear in no error, event, console line, log or database", async ({ page, start, consoleLines }) => {
    const issuer = await makeIssuer();
    const server = await start({ configuration: "nats-server-jwt.conf", files: { "operator.conf": issuer.operatorConf } });
    const publicKey = await page.evaluate(() => login.publicKey);
    const jwts = {
      wrong: await issuer.sign(await page.evaluate(() => nats.nkeys.createUser().getPublicKey()), { namespace: "shop", seconds: 60 }),
      other: await issuer.sign(publicKey, { namespace: "billing", seconds: 60 }),
      right: await issuer.sign(publicKey, { namespace: "shop", seconds: 60 }),
    };
    await page.evaluate((where) => login.openWithJwt(where), { servers: server.wsUrl, namespace: "shop" });
    await goThroughEverything(page, (which) => logIn(page, { jwt: jwts[which] }));
    const said = await everythingSaid(page, consoleLines, server);
    expect(said).toContain("PUBLISH_REJECTED");
    const seed = await page.evaluate(() => login.seed);
    for (const secret of [seed, ...Object.values(jwts), ...Object.values(jwts).map((jwt) => jwt.split(".")[2] ?? "")]) {
      expect(said).not.toContain(secret);
    }
  });

  test("a password in the server's URL appears in no error, event, console line, log or database", async ({
    page,
    start,
    consoleLines,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await start({ configuration: "nats-server.conf", secrets: PASSWORDS });
    const address = server.wsUrl.replace("wss://", `wss://shop:${SHOP}@`);
    const nowhere = `wss://shop:${SHOP}@127.0.0.1:1`;
    for (const servers of [address, nowhere]) {
      await page.evaluate(
        (where) =>
          login.outcome(async () => {
            login.openWithCookie(where);
            await store.store("a", 1);
          }),
        { servers, namespace: "shop" },
      );
    }
    expect(await everythingSaid(page, consoleLines, server)).not.toContain(SHOP);
  });
});
