import { expect, test, visit } from "./support/fixtures.ts";

const COUNT = 200;

test.describe("200 stores of one namespace in one page", () => {
  test("have one write each confirmed, hold few locks and use one connection", async ({ page, startNats, openWire, namespace }) => {
    const server = await startNats();
    const wire = await openWire(server);
    const options = { servers: server.wsUrl, namespace, timeoutMs: 60_000, lingerMs: 60_000 };
    const seen = await page.evaluate(
      async ({ options, count }) => {
        const stores = Array.from({ length: count }, () => new keystore.NASKeyStore(options));
        const results = await Promise.all(stores.map((store, index) => store.store(`k${index}`, index)));
        const { held = [], pending = [] } = await navigator.locks.query();
        const read = await Promise.all(stores.map((store, index) => store.retrieve(`k${(index + 1) % count}`)));
        return {
          confirmed: results.filter(Boolean).length,
          locks: held.length + pending.length,
          isRead: read.every((value, index) => value === (index + 1) % count),
        };
      },
      { options, count: COUNT },
    );
    expect(seen).toMatchObject({ confirmed: COUNT, isRead: true });
    expect(seen.locks, "locks held or waited for").toBeLessThanOrEqual(400);
    expect((await server.connections()).openWebSockets).toBe(1);
    expect(await wire.waitFor(COUNT)).toHaveLength(COUNT);
  });

  test("and 200 stores in another tab wait for one lock of each other", async ({ page, openPage, site, nats, namespace }) => {
    const other = await visit(await openPage(), site.url);
    const options = { servers: nats.wsUrl, namespace, timeoutMs: 60_000 };
    for (const tab of [page, other]) {
      await tab.evaluate(
        async ({ options, count }) => {
          const stores = Array.from({ length: count }, () => new keystore.NASKeyStore(options));
          await Promise.all(stores.map((store, index) => store.store(`k${index}`, index)));
        },
        { options, count: COUNT },
      );
    }
    const locks = (): Promise<number> =>
      page.evaluate(async () => {
        const { held = [], pending = [] } = await navigator.locks.query();
        return held.length + pending.length;
      });
    await expect.poll(locks, "two liveness locks, and two that wait for them").toBe(4);
  });
});
