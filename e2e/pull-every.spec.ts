import type { Page } from "@playwright/test";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";
import { natsServers } from "./support/nats-servers.ts";
import { shown, showIn, told } from "./support/view.ts";

const OFTEN = { pullEveryMs: 200 };

/** Hides a tab as the browser does, or shows it again. */
async function turn(page: Page, visibilityState: "hidden" | "visible"): Promise<void> {
  await page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visibilityState);
}

/** The client that holds the lock of the tab that pulls. */
const puller = (page: Page, namespace: string): Promise<string | undefined> =>
  page.evaluate(async (name) => {
    const { held = [] } = await navigator.locks.query();
    return held.find((lock) => lock.name === name)?.clientId;
  }, `nas-keystore/${namespace}/pull`);

for (const { title, program } of natsServers) {
  test.describe(title, () => {
    test("what one browser writes appears in the watch of another, without any call, also after a restart of the server and a reload", async ({
      page: reader,
      openElsewhere,
      startNats,
      namespace,
      consoleGuard,
    }) => {
      consoleGuard.allowFailedSockets();
      const server = await startNats({ jetstream: true, program });
      const writer = await openElsewhere();
      const options = { servers: server.wsUrl, namespace, durable: OFTEN };
      for (const page of [reader, writer]) await openStoreIn(page, options);
      expect(await writer.evaluate(() => store.ensureStream())).toEqual({ stream: `NAS_${namespace}`, created: true });
      await showIn(reader);

      expect(await writer.evaluate(() => store.store("a", { from: "afar" }))).toBe(true);
      await expect.poll(() => shown(reader)).toEqual({ a: { from: "afar" } });
      expect(await told(reader)).toEqual(["remote store a 1"]);
      expect(await writer.evaluate(() => store.delete("a"))).toBe(true);
      await expect.poll(() => shown(reader)).toEqual({});

      await server.stop();
      expect(await writer.evaluate(() => store.store("b", 1))).toBe(false);
      await server.restart();
      await expect.poll(() => shown(reader), { timeout: 60_000 }).toEqual({ b: 1 });

      await reload(reader);
      await writer.evaluate(() => store.store("b", 2));
      await openStoreIn(reader, options);
      await showIn(reader);
      await expect.poll(() => shown(reader)).toEqual({ b: 2 });
    });
  });
}

test("one visible tab pulls, a hidden one leaves it to another, and each of them shows what another browser writes", async ({
  page: first,
  openPage,
  openElsewhere,
  startNats,
  namespace,
}) => {
  const server = await startNats({ jetstream: true });
  const second = await openPage();
  const writer = await openElsewhere();
  await openStoreIn(writer, { servers: server.wsUrl, namespace, durable: true });
  await writer.evaluate(() => store.ensureStream());
  const options = { servers: server.wsUrl, namespace, durable: OFTEN };
  await openStoreIn(first, options);
  await expect.poll(() => puller(first, namespace)).toBeDefined();
  const one = await puller(first, namespace);
  await openStoreIn(second, options);
  for (const page of [first, second]) await showIn(page);

  await writer.evaluate(() => store.store("a", 1));
  for (const page of [first, second]) await expect.poll(() => shown(page)).toEqual({ a: 1 });
  expect(await puller(second, namespace)).toBe(one);
  expect([await told(first), await told(second)]).toEqual([["remote store a 1"], ["tab store a 1"]]);

  await turn(first, "hidden");
  await expect.poll(() => puller(second, namespace)).not.toBe(one);
  const two = await puller(second, namespace);
  await writer.evaluate(() => store.store("a", 2));
  for (const page of [first, second]) await expect.poll(() => shown(page)).toEqual({ a: 2 });
  await turn(second, "hidden");
  await expect.poll(() => puller(second, namespace)).toBeUndefined();
  expect(two).toBeDefined();

  await turn(first, "visible");
  await expect.poll(() => puller(second, namespace)).toBe(one);
  // A tab that ends leaves it to another as well.
  await turn(second, "visible");
  await first.close();
  await expect.poll(() => puller(second, namespace)).toBe(two);
  await writer.evaluate(() => store.store("a", 3));
  await expect.poll(() => shown(second)).toEqual({ a: 3 });
});
