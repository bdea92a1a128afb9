import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

const CALLS = 250;
const OPTIONS = { ttl: 60, staleWhileRevalidate: 300 };

/** What the calls of a tab got, and how often it has loaded. */
interface Calls {
  readonly values: readonly string[];
  readonly loads: number;
}

/** Calls `retrieveOrStore` many times at once. The value names the tab. */
function callIn(tab: Page, name: string): Promise<Calls> {
  return tab.evaluate(
    async ([name, calls]) => {
      let loads = 0;
      const load = async (): Promise<string> => {
        loads++;
        return (await fetch(`/?${name}`)).ok ? name : "failed";
      };
      const values = await Promise.all(Array.from({ length: calls }, () => store.retrieveOrStore("k", load)));
      return { values: [...new Set(values)], loads };
    },
    [name, CALLS] as const,
  );
}

async function sum(results: Promise<Calls>[]): Promise<Calls> {
  const all = await Promise.all(results);
  return { values: [...new Set(all.flatMap(({ values }) => values))], loads: all.reduce((count, { loads }) => count + loads, 0) };
}

/** Moves the clock of a tab. */
function skip(tab: Page, seconds: number): Promise<void> {
  return tab.evaluate((seconds) => {
    const { now } = Date;
    Date.now = () => now() + seconds * 1000;
  }, seconds);
}

test("1,000 calls in four tabs load once, and a reload reads the value", async ({ openPage, nats, namespace, wire }) => {
  const tabs = await Promise.all([1, 2, 3, 4].map(() => openPage()));
  for (const tab of tabs) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  const first = await sum(tabs.map((tab, n) => callIn(tab, `tab ${n}`)));
  expect(first).toEqual({ values: [expect.stringMatching(/^tab \d$/)], loads: 1 });

  // Otherwise the reload may end the tab before it receives the PONG, and the message is sent once more.
  for (const tab of tabs) await expect.poll(() => tab.evaluate(() => store.pendingWrites())).toEqual([]);
  await Promise.all(tabs.map((tab) => reload(tab)));
  for (const tab of tabs) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  expect(await sum(tabs.map((tab) => callIn(tab, "after the reload")))).toEqual({ ...first, loads: 0 });
  await wire.settled();
  expect(wire.messages.map(({ envelope }) => envelope?.key)).toEqual(["k"]);
});

test("when the tab that loads is closed, one of the others loads, and all of them get its value", async ({ openPage, nats, namespace }) => {
  const [loading, ...tabs] = await Promise.all([1, 2, 3, 4].map(() => openPage()));
  for (const tab of [loading!, ...tabs]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  await loading!.evaluate(() => new Promise<void>((started) => void store.retrieveOrStore("k", () => new Promise(() => started()))));
  const calls = sum(tabs.map((tab, n) => callIn(tab, `tab ${n}`)));
  await expect
    .poll(() =>
      tabs[0]!.evaluate(async () => (await navigator.locks.query()).pending?.filter(({ name }) => name?.endsWith("/load/k")).length),
    )
    .toBe(3);
  await loading!.close();
  expect(await calls).toEqual({ values: [expect.stringMatching(/^tab \d$/)], loads: 1 });
});

test("a value that is loaded without a server is there after a reload, and is published once the server runs again", async ({
  page,
  startNats,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await server.stop();
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  expect(await page.evaluate(() => store.retrieveOrStore("k", () => "loaded"))).toBe("loaded");
  await reload(page);
  await server.restart();
  const wire = await openWire(server);
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  expect(await page.evaluate(() => store.retrieveOrStore("k", () => "again"))).toBe("loaded");
  await expect.poll(() => page.evaluate(async () => (await store.flush()).pending)).toBe(0);
  await wire.settled();
  expect(wire.messages.map(({ envelope }) => envelope?.value)).toEqual(['"loaded"']);
});

test("two tabs return an expired value at once, and one of them refreshes it", async ({ page, openPage, openStore, nats, namespace }) => {
  await openStore();
  const other = await openPage();
  await openStoreIn(other, { servers: nats.wsUrl, namespace });
  const tabs = [page, other];
  await page.evaluate((options) => store.retrieveOrStore("k", () => "old", options), OPTIONS);
  await page.evaluate(() => store.flush());
  for (const tab of tabs) await skip(tab, 61);

  const read = (tab: Page, value: string): Promise<string[]> =>
    tab.evaluate(([value, options]) => Promise.all([1, 2, 3].map(() => store.retrieveOrStore("k", () => value, options))), [
      value,
      OPTIONS,
    ] as const);
  expect(await page.evaluate(() => store.retrieve("k"))).toBeUndefined();
  expect((await Promise.all([read(page, "new"), read(other, "new")])).flat()).toContain("old");
  for (const tab of tabs) await expect.poll(() => tab.evaluate(() => store.retrieve("k"))).toBe("new");
  for (const tab of tabs) expect(await read(tab, "newer")).toEqual(["new", "new", "new"]);
  expect(await page.evaluate(async () => (await store.getMetadata("k"))?.version), "two loads in all").toBe(2);
});

test("an expired value is returned after a reload, while the load in the background fails", async ({ page, openStore }) => {
  await openStore();
  await page.evaluate((options) => store.retrieveOrStore("k", () => "old", options), OPTIONS);
  await page.evaluate(() => store.flush());
  await reload(page);
  await skip(page, 61);
  await openStore();
  const seen = await page.evaluate(async (options) => {
    await store.sweep();
    const fail = (): Promise<string> => Promise.reject(new Error("no network"));
    return [await store.retrieve("k"), await store.retrieveOrStore("k", fail, options), await store.retrieveOrStore("k", fail, options)];
  }, OPTIONS);
  expect(seen).toEqual([undefined, "old", "old"]);
});
