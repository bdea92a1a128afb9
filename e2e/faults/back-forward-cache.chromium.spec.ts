import type { BrowserContext, Page } from "@playwright/test";
import { LONG_MS } from "../support/deadline.ts";
import { expect, test as base, visit } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";
import { shown, showIn, told } from "../support/view.ts";
import { installObserver } from "../support/observer.ts";

const test = base.extend<{ contextWithCache: BrowserContext }>({
  /** A context whose pages go into the back/forward cache, which Playwright turns off by default. */
  contextWithCache: async ({ playwright, launchOptions, consoleGuard }, use) => {
    await using browser = await playwright.chromium.launch({ ...launchOptions, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
    const context = await browser.newContext();
    consoleGuard.watch(context);
    await context.addInitScript(installObserver);
    await context.addInitScript(() => addEventListener("pageshow", ({ persisted }) => (globalThis.wasPersisted = persisted)));
    await use(context);
    await context.close();
  },
});

/** Goes back. (`page.goBack()` waits for a load that does not happen.) */
const goBack = async (page: Page): Promise<void> => {
  // The page may be unloaded before it answers.
  await page.evaluate(() => history.back()).catch(() => {});
  const arrival = (): Promise<unknown> =>
    page
      .evaluate(() => {
        const [navigation] = performance.getEntriesByType("navigation") as (PerformanceNavigationTiming & {
          notRestoredReasons?: unknown;
        })[];
        return { search: location.search, fromCache: wasPersisted, refusedFor: navigation?.notRestoredReasons ?? undefined };
      })
      .catch(() => undefined);
  await expect.poll(arrival, "the page comes from the cache").toEqual({ search: "", fromCache: true, refusedFor: undefined });
};

test("a page closes its connections and channels and empties its memory when it enters the back/forward cache, and works after its return", async ({
  contextWithCache: context,
  site,
  nats,
  namespace,
  wire,
}) => {
  const page = await visit(await context.newPage(), site.url);
  const other = await visit(await context.newPage(), site.url);
  // The page now has an idle connection, a liveness lock, a channel, a database connection and a request for the other tab's liveness lock.
  await openStoreIn(page, { servers: nats.wsUrl, namespace, lingerMs: LONG_MS });
  await openStoreIn(other, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate(() => store.store("a", 1))).toBe(true);
  expect(await page.evaluate(() => store.retrieve("a"))).toBe(1);
  expect((await nats.connections()).openWebSockets).toBe(1);

  await page.goto(`${site.url}?elsewhere`);
  await expect.poll(async () => (await nats.connections()).openWebSockets, "connections of a page in the cache").toBe(0);
  // The other page may hold the drain lock for a moment.
  const locks = (): Promise<number | undefined> => other.evaluate(async () => (await navigator.locks.query()).held?.length);
  await expect.poll(locks, "liveness locks: the other page's only").toBeLessThanOrEqual(1);
  expect(await other.evaluate(() => store.store("a", 2))).toBe(true);

  await goBack(page);
  expect(await page.evaluate(() => store.retrieve("a")), "the value that another tab has written").toBe(2);
  expect(await page.evaluate(() => store.store("a", 3))).toBe(true);
  expect(await other.evaluate(() => store.retrieve("a")), "the other page receives messages").toBe(3);
  expect(await other.evaluate(() => store.store("a", 4))).toBe(true);
  await expect.poll(() => page.evaluate(() => store.retrieve("a")), "the page receives messages").toBe(4);
  expect((await wire.settled()).map(({ envelope }) => envelope?.value)).toEqual(["1", "2", "3", "4"]);
});

test("another tab publishes the running writes of a page that enters the back/forward cache, and the page knows it after its return", async ({
  contextWithCache: context,
  site,
  nats,
  namespace,
  wire,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  const page = await visit(await context.newPage(), site.url);
  const other = await visit(await context.newPage(), site.url);
  await openStoreIn(page, { servers: link.wsUrl, namespace });
  await openStoreIn(other, { servers: nats.wsUrl, namespace });
  await page.evaluate(() => store.ping());
  link.hang();
  await page.evaluate(() => void (globalThis.underWay = store.store("a", 1).then((result) => [result])));
  await expect.poll(() => other.evaluate(async () => (await store.pendingWrites()).length)).toBe(1);

  await page.goto(`${site.url}?elsewhere`);
  await wire.waitFor(1);

  await link.mend();
  await goBack(page);
  expect(await page.evaluate(() => store.retrieve("a"))).toBe(1);
  expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  // Resolves true or false: the interrupted attempt may count as failed.
  await page.evaluate(() => store.store("a", 2));
  await expect.poll(() => page.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
  expect(await page.evaluate(() => underWay), "the running call has settled").toEqual([expect.any(Boolean)]);
  await wire.settled();
  expect(wire.messages.at(-1)?.envelope?.value, "the newest value is published last").toBe("2");
});

test("a view that is fed by watch shows what another tab has written while its page was in the back/forward cache, and what it writes then", async ({
  contextWithCache: context,
  site,
  nats,
  namespace,
}) => {
  const page = await visit(await context.newPage(), site.url);
  const other = await visit(await context.newPage(), site.url);
  for (const tab of [page, other]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  await page.evaluate(() => store.store("a", "old"));
  await showIn(page);
  await expect.poll(() => shown(page)).toEqual({ a: "old" });

  await page.goto(`${site.url}?elsewhere`);
  await other.evaluate(() => store.bulkStore({ a: "new", b: 1 }));
  await goBack(page);
  await expect.poll(() => shown(page)).toEqual({ a: "new", b: 1 });
  await other.evaluate(() => store.delete("b"));
  await expect.poll(() => shown(page)).toEqual({ a: "new" });
  expect((await told(page)).at(-1)).toBe("tab delete b 2");
});

declare global {
  /** In the page: `persisted` of its last `pageshow`. */
  var wasPersisted: boolean;
}
