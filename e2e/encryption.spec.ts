import { createDecipheriv, pbkdf2Sync } from "node:crypto";
import type { Page } from "@playwright/test";
import { expect, reload, test as base, visit } from "./support/fixtures.ts";
import { startKillableBrowser, type KillableBrowser } from "./support/killable-browser.ts";
import { sha256 } from "./support/messages.ts";
import type { Envelope } from "./support/wire.ts";

const SECRET = "the secret value";

const test = base.extend<{ startBrowser: () => Promise<KillableBrowser> }>({
  startBrowser: async ({ browserName, launchOptions, consoleGuard }, use) => {
    const browsers: KillableBrowser[] = [];
    await use(async () => {
      const browser = await startKillableBrowser(browserName, launchOptions, async (context) => consoleGuard.watch(context));
      browsers.push(browser);
      return browser;
    });
    for (const browser of browsers) await browser.dispose();
  },
});

interface Options {
  readonly servers: string;
  readonly namespace: string;
  readonly timeoutMs?: number;
}

/** Makes a store whose keys come from functions, which derive them from passphrases. */
async function openEncrypted(page: Page, options: Options, passphrases: readonly string[], messages = false): Promise<void> {
  await page.evaluate(([options, passphrases, messages]) => aids.openEncryptedStore(options, passphrases, messages), [
    options,
    passphrases,
    messages,
  ] as const);
}

function read(page: Page, key: string): Promise<unknown> {
  return page.evaluate(async (key) => ({ value: await store.retrieve(key) }), key);
}

function codeOf(page: Page, key: string): Promise<string | undefined> {
  return page.evaluate(async (key) => (await aids.refusalOf(() => store.retrieve(key)))?.code, key);
}

/** What a subscriber that has the passphrase does: see docs/PRODUCTION.md. */
function decrypted({ key, value, metadata }: Envelope, namespace: string, passphrase: string): string {
  const { format, encoding = "", encryption } = metadata!;
  const ciphertext = Buffer.from(value!, "base64");
  const raw = pbkdf2Sync(passphrase, "a salt", 1000, 32, "sha256");
  const decipher = createDecipheriv("aes-256-gcm", raw, Buffer.from(encryption!.nonce, "base64"));
  decipher.setAAD(Buffer.from(["nas-keystore/v1", "message", namespace, format, encoding, key].join("\n")));
  decipher.setAuthTag(ciphertext.subarray(-16));
  return decipher.update(ciphertext.subarray(0, -16), undefined, "utf8") + decipher.final("utf8");
}

test.describe("encryption at rest", () => {
  test("an encrypted entry is read after a reload with the key, is kept without it, and is read again", async ({
    page,
    nats,
    namespace,
  }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openEncrypted(page, options, ["right"]);
    await page.evaluate((secret) => store.store("k", secret), SECRET);
    expect(await page.evaluate((namespace) => aids.rawText(namespace), namespace)).not.toContain(SECRET);

    await reload(page);
    await openEncrypted(page, options, ["right"]);
    expect(await read(page, "k")).toEqual({ value: SECRET });

    for (const passphrases of [["wrong"], [""], ["wrong", "other"]]) {
      await reload(page);
      await openEncrypted(page, options, passphrases);
      expect(await codeOf(page, "k")).toBe("DECRYPT_FAILED");
      expect(await page.evaluate(async () => (await store.getMetadata("k"))?.encrypted)).toBe(true);
    }
    await reload(page);
    await page.evaluate((options) => aids.openStore(options), options);
    expect(await codeOf(page, "k")).toBe("DECRYPT_FAILED");
    expect(await page.evaluate(() => events)).toEqual([]);

    await reload(page);
    await openEncrypted(page, options, ["right"]);
    expect(await read(page, "k")).toEqual({ value: SECRET });
  });

  test("a second tab reads the entry with the key, and the newer one of the first tab", async ({ page, openPage, nats, namespace }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openEncrypted(page, options, ["right"]);
    await page.evaluate(() => store.store("k", 1));
    const second = await openPage();
    await openEncrypted(second, options, ["right"]);
    expect(await read(second, "k")).toEqual({ value: 1 });
    await page.evaluate(() => store.store("k", 2));
    expect(await read(second, "k")).toEqual({ value: 2 });
  });

  test("a changed ciphertext and the ciphertext of another key are refused, and other entries are read", async ({
    page,
    nats,
    namespace,
  }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openEncrypted(page, options, ["right"]);
    await page.evaluate(async () => {
      for (const key of ["changed", "swapped", "other"]) await store.store(key, key);
      await store.flush();
    });
    await page.evaluate(async (namespace) => {
      await aids.flipBit(namespace, "changed", 0.5);
      const { payload, checksum, encryption } = await aids.rawEntry(namespace, "other");
      await aids.changeRawEntry(namespace, "swapped", { payload, checksum, encryption: encryption! });
    }, namespace);
    await reload(page);
    await openEncrypted(page, options, ["right"]);
    expect(await codeOf(page, "changed")).toBe("CHECKSUM_MISMATCH");
    expect(await codeOf(page, "swapped")).toBe("DECRYPT_FAILED");
    const found = await page.evaluate(async () => [...(await store.bulkRetrieve(["changed", "swapped", "other"]))]);
    expect(found).toEqual([["other", "other"]]);
    const corrupt = await page.evaluate(() => aids.happened("corrupt", 4));
    expect(corrupt.map(({ key }) => key)).toEqual(["changed", "swapped", "changed", "swapped"]);
  });

  test("a subscriber receives plain text, or with messages: true the ciphertext, which it can decrypt", async ({
    page,
    nats,
    namespace,
    wire,
  }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openEncrypted(page, options, ["right"]);
    await page.evaluate((secret) => store.store("k", secret, { format: "text" }), SECRET);
    const [plain] = await wire.waitFor(1);
    expect(plain?.envelope).toMatchObject({ value: SECRET, metadata: { checksum: sha256(Buffer.from(SECRET)), size: SECRET.length } });

    await openEncrypted(page, options, ["right"], true);
    await page.evaluate((secret) => store.store("k", secret, { format: "text" }), SECRET);
    const { envelope, text } = (await wire.waitFor(2))[1]!;
    expect(text).not.toContain(SECRET);
    expect(envelope?.metadata?.checksum).toBe(sha256(Buffer.from(envelope!.value!, "base64")));
    expect(decrypted(envelope!, namespace, "right")).toBe(SECRET);
  });

  test("queued writes of an earlier page are published after a reload and a server restart, once their key is there", async ({
    page,
    startNats,
    openWire,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats();
    const options = { servers: server.wsUrl, namespace, timeoutMs: 2_000 };
    await openEncrypted(page, options, ["right"]);
    await server.stop();
    const store1 = (key: string) => page.evaluate(([key, secret]) => store.store(key, secret, { format: "text" }), [key, SECRET] as const);
    expect(await store1("plain")).toBe(false);
    await openEncrypted(page, options, ["right"], true);
    expect(await store1("secret")).toBe(false);

    // A page without the key publishes what needs no key.
    await reload(page);
    await openEncrypted(page, options, ["wrong"]);
    await page.evaluate(() => store.store("of this page", 1));
    await server.restart();
    const wire = await openWire(server);
    await expect.poll(() => page.evaluate(async () => (await store.flush()).pending)).toBe(1);
    await expect.poll(() => page.evaluate(async () => (await store.pendingWrites())[0]?.lastError)).toMatch(/^DECRYPT_FAILED/);
    const keys = (await wire.settled()).map(({ envelope }) => envelope?.key);
    expect(keys.toSorted()).toEqual(["of this page", "secret"]);

    // No operation is needed.
    await reload(page);
    await openEncrypted(page, options, ["right"]);
    const messages = await wire.waitFor(3);
    expect(messages[2]?.envelope).toMatchObject({ key: "plain", value: SECRET });
    const secret = messages.find(({ envelope }) => envelope?.key === "secret")!;
    expect(decrypted(secret.envelope!, namespace, "right")).toBe(SECRET);
    await expect.poll(() => page.evaluate(() => store.pendingWrites())).toEqual([]);
  });

  test("a rotation of the key that a killed browser interrupts loses nothing and can go on", async ({
    startBrowser,
    site,
    nats,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const COUNT = 200;
    const keys = Array.from({ length: COUNT }, (_, index) => `k${String(index).padStart(3, "0")}`);
    const options = { servers: nats.wsUrl, namespace };
    const browser = await startBrowser();
    const page = await visit(browser.context.pages()[0]!, site.url);
    await openEncrypted(page, options, ["old"]);
    await page.evaluate(async (keys) => {
      await store.bulkStore(Object.fromEntries(keys.map((key) => [key, `value of ${key}`])));
      await store.flush();
    }, keys);
    let rotated = (_count: number): void => {};
    const half = new Promise<void>((resolve) => (rotated = (count) => count > COUNT / 2 && resolve()));
    await page.exposeFunction("rotated", (count: number) => rotated(count));
    await openEncrypted(page, options, ["new", "old"]);
    const rotation = page.evaluate(async (keys) => {
      for (const [index, key] of keys.entries()) {
        await store.update(key, await store.retrieve(key));
        (globalThis as unknown as { rotated(count: number): void }).rotated(index);
      }
    }, keys);
    rotation.catch(() => {});
    await half;
    await browser.kill();

    await browser.restart();
    const after = await visit(browser.context.pages()[0]!, site.url);
    await openEncrypted(after, options, ["new", "old"]);
    const readAll = (page: Page) => page.evaluate(async (keys) => [...(await store.bulkRetrieve(keys, { useCache: false }))], keys);
    const expected = keys.map((key) => [key, `value of ${key}`]);
    expect(await readAll(after)).toEqual(expected);
    await after.evaluate(async (keys) => {
      for (const key of keys) await store.update(key, await store.retrieve(key));
    }, keys);
    await openEncrypted(after, options, ["new"]);
    expect(await readAll(after)).toEqual(expected);
  });
});
