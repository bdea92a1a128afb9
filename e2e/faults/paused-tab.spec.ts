import { expect, test } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";

test("a tab takes over the outbox from a tab that holds the drain lock and does nothing", async ({
  page,
  openPage,
  nats,
  wire,
  namespace,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const paused = await openPage();
  await paused.evaluate(
    (name) =>
      new Promise<void>((resolve) => {
        const hold = (): Promise<void> => {
          resolve();
          return new Promise(() => {});
        };
        navigator.locks.request(name, hold).catch(() => "taken over");
      }),
    `nas-keystore/${namespace}/drain`,
  );
  const link = await openLink(nats);
  await link.cut();
  await openStoreIn(page, { servers: link.wsUrl, namespace, timeoutMs: 2_000 });
  expect(await page.evaluate(() => store.store("k", 1))).toBe(false);
  await link.mend();

  expect(await page.evaluate(() => store.flush()), "while the other tab holds the lock").toEqual({ published: 0, pending: 1, rejected: 0 });
  expect(wire.messages).toEqual([]);
  await expect.poll(() => page.evaluate(() => store.pendingWrites()), { timeout: 60_000 }).toEqual([]);
  await wire.settled();
  expect(wire.messages.map(({ envelope }) => envelope?.key)).toEqual(["k"]);
});
