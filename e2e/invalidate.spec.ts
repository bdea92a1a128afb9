import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

const stale = (page: Page, ...keys: string[]) =>
  page.evaluate(async (keys) => (await Promise.all(keys.map((key) => store.getMetadata(key)))).map((metadata) => metadata?.stale), keys);

test.describe("invalidate", () => {
  test("10,000 entries are stale in both tabs and after a reload; a write in either tab makes its entry fresh", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
  }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    await page.evaluate(() => store.bulkStore(Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n])), { tags: ["t"] }));
    expect(await second.evaluate(() => store.retrieve("k5000"))).toBe(5000);
    expect(await page.evaluate(() => store.invalidate({ tag: "t" }))).toBe(10_000);
    for (const tab of [page, second]) expect(await stale(tab, "k0", "k5000", "k9999")).toEqual([true, true, true]);
    expect(await second.evaluate(() => store.retrieve("k5000"))).toBe(5000);

    await second.evaluate(() => store.store("k0", 0, { tags: ["t"] }));
    await page.evaluate(() => store.update("k9999", 1));
    for (const tab of [page, second]) {
      await reload(tab);
      await openStoreIn(tab, { servers: nats.wsUrl, namespace });
      expect(await stale(tab, "k0", "k5000", "k9999")).toEqual([false, true, false]);
    }
    expect(await second.evaluate(() => store.invalidate({ pattern: "*" }))).toBe(2);
  });

  test("a tab with another version of the messages forgets what it holds, and sees the stale entries", async ({
    page,
    openStore,
    namespace,
  }) => {
    await openStore();
    await page.evaluate(async () => {
      await store.store("k", 1);
      await store.invalidate({ pattern: "k" });
    });
    await page.evaluate((name) => new BroadcastChannel(name).postMessage({ protocol: 2, type: "hello" }), `nas-keystore/${namespace}`);
    expect(await stale(page, "k")).toEqual([true]);
    expect(await page.evaluate(() => store.retrieve("k"))).toBe(1);
  });
});

test.describe("deleteByTag", () => {
  test("deletes in every tab while the server is down, survives a reload, and is published when the server is back", async ({
    page,
    openPage,
    namespace,
    startNats,
    openWire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats();
    const options = { servers: server.wsUrl, namespace };
    await openStoreIn(page, options);
    const second = await openPage();
    await openStoreIn(second, options);
    await page.evaluate(() => store.bulkStore(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`k${n}`, n])), { tags: ["t"] }));
    await page.evaluate(() => store.store("kept", 1));
    expect(await second.evaluate(() => store.retrieve("k500"))).toBe(500);
    await server.stop();

    expect(await page.evaluate(() => store.deleteByTag("t"))).toBe(1_000);
    expect(await second.evaluate(async () => [await store.retrieve("k500"), await store.listKeys()])).toEqual([undefined, ["kept"]]);
    await reload(page);
    await server.restart();
    const wire = await openWire(server);
    await openStoreIn(page, options);
    expect(await page.evaluate(() => store.listKeys())).toEqual(["kept"]);
    await page.evaluate(() => store.flush());
    const messages = await wire.waitFor(1_000);
    expect(new Set(messages.map(({ envelope }) => `${envelope?.operation} ${envelope?.version}`))).toEqual(new Set(["delete 2"]));
    expect(new Set(messages.map(({ envelope }) => envelope?.key)).size).toBe(1_000);
  });
});

test.describe("touch", () => {
  test("an entry that is touched outlives its ttl in both tabs and after a reload", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
  }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    await page.evaluate(() => Promise.all([store.store("kept", 1, { ttl: 60 }), store.store("ended", 1)]));
    expect(await second.evaluate(() => Promise.all([store.retrieve("kept"), store.retrieve("ended")]))).toEqual([1, 1]);
    expect(await page.evaluate(() => Promise.all([store.touch("kept", 3600), store.touch("ended", 0.001)]))).toEqual([true, true]);
    await expect.poll(() => second.evaluate(() => store.retrieve("ended"))).toBe(undefined);
    await reload(page);
    await openStore();
    for (const tab of [page, second]) {
      const seen = await tab.evaluate(async () => {
        const { expiresAt, updatedAt, version } = (await store.getMetadata("kept"))!;
        return { value: await store.retrieve("kept"), hour: Number(expiresAt) - Number(updatedAt) >= 3_600_000, version };
      });
      expect(seen).toEqual({ value: 1, hour: true, version: 1 });
    }
  });
});
