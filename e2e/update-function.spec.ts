import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

const TABS = 8;
const INCREMENTS = 1_000;

/** Makes increments in a tab, `chains` at a time. Resolves to the number of them. */
function increment(tab: Page, increments: number, chains = 2): Promise<number> {
  return tab.evaluate(
    async ([increments, chains]) => {
      let begun = 0;
      const chain = async (): Promise<void> => {
        while (begun++ < increments) await store.update<number>("count", (present = 0) => present + 1);
      };
      await Promise.all(Array.from({ length: chains }, chain));
      return increments;
    },
    [increments, chains] as const,
  );
}

test("8 tabs of 1,000 increments each count to 8,000, and the server gets the last one", async ({
  page,
  openPage,
  startNats,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await server.stop();
  const tabs = [page, ...(await Promise.all(Array.from({ length: TABS - 1 }, openPage)))];
  await Promise.all(tabs.map((tab) => openStoreIn(tab, { servers: server.wsUrl, namespace, timeoutMs: 2_000 })));
  await Promise.all(tabs.map((tab) => increment(tab, INCREMENTS)));
  await Promise.all(tabs.map((tab) => tab.evaluate(() => store.close())));

  await server.restart();
  const wire = await openWire(server);
  await reload(page);
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  const seen = await page.evaluate(async () => {
    await store.flush();
    const value = await store.retrieve("count");
    return { value, version: (await store.getMetadata("count"))?.version, pending: await store.pendingWrites() };
  });
  expect(seen).toEqual({ value: TABS * INCREMENTS, version: TABS * INCREMENTS, pending: [] });
  await wire.waitFor(1);
  expect((await wire.settled()).at(-1)?.envelope).toMatchObject({ key: "count", value: String(TABS * INCREMENTS) });
});

test("increments of two tabs count while the server is restarted", async ({
  page,
  openPage,
  startNats,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  const tabs = [page, await openPage()];
  await Promise.all(tabs.map((tab) => openStoreIn(tab, { servers: server.wsUrl, namespace, lingerMs: 1_000, timeoutMs: 2_000 })));
  const counting = Promise.all(tabs.map((tab) => increment(tab, 200)));
  await expect.poll(() => page.evaluate(() => store.retrieve<number>("count"))).toBeGreaterThan(20);
  await server.restart();
  const wire = await openWire(server);
  await counting;
  await page.evaluate(() => store.flush());
  for (const tab of tabs) expect(await tab.evaluate(() => store.retrieve("count"))).toBe(400);
  // A write that both tabs know of may be published by either.
  await expect.poll(() => page.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
  await expect.poll(() => wire.messages.at(-1)?.envelope?.value).toBe("400");
});

test("a tab that ends in the middle of its increments stops no other tab, and loses none whose call has resolved", async ({
  page,
  openPage,
  nats,
  namespace,
}) => {
  const ending = await openPage();
  for (const tab of [page, ending]) await openStoreIn(tab, { servers: nats.wsUrl, namespace, lingerMs: 1_000 });
  let told = 0;
  await ending.exposeFunction("tell", () => void told++);
  const ended = ending
    .evaluate(async () => {
      for (;;) {
        await store.update<number>("count", (present = 0) => present + 1);
        (globalThis as unknown as { tell: () => void }).tell();
      }
    })
    .catch(() => "ended");
  const counting = increment(page, 300);
  await expect.poll(() => told).toBeGreaterThan(50);
  await ending.close();
  expect(await ended).toBe("ended");
  await counting;
  const count = (await page.evaluate(() => store.retrieve<number>("count", { useCache: false }))) ?? 0;
  expect(count).toBeGreaterThanOrEqual(300 + told);
  expect(count, "with an increment of which the tab was not told, and calls that had not reached the test").toBeLessThan(300 + told + 50);
  expect(await page.evaluate(() => store.update<number>("count", (present = 0) => present + 1))).toBe(true);
});

test("an async function that fetches runs again when another tab stores the key meanwhile", async ({ page, openPage, nats, namespace }) => {
  const other = await openPage();
  for (const tab of [page, other]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  await page.exposeFunction("storeInOtherTab", () => other.evaluate(() => store.store("k", ["theirs"])));
  const seen = await page.evaluate(async () => {
    const inputs: unknown[] = [];
    await store.update<string[]>("k", async (present = []) => {
      inputs.push([...present]);
      await fetch(location.href);
      if (inputs.length === 1) await (globalThis as unknown as { storeInOtherTab: () => Promise<void> }).storeInOtherTab();
      return [...present, "ours"];
    });
    return { inputs, value: await store.retrieve("k", { useCache: false }) };
  });
  expect(seen).toEqual({ inputs: [[], ["theirs"]], value: ["theirs", "ours"] });
  expect(await other.evaluate(() => store.retrieve("k"))).toEqual(["theirs", "ours"]);
});
