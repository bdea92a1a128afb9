import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

const COUNT = 20_000;

// The tab ends when so many records of the transaction have been requested. A call of this size makes 1,250 blocks, with two records each.
for (const requests of [1, 1_000, 2_500]) {
  test(`a tab that ends in the middle of an atomic bulkStore, at record ${requests}, leaves all items or none`, async ({
    page,
    openPage,
    nats,
    wire,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const ending = await openPage();
    for (const tab of [page, ending]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
    await page.evaluate(() => store.store("k00000", "present"));
    let reach = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    await ending.exposeFunction("reach", () => reach());
    const writing = ending
      .evaluate(
        async ([count, requests]) => {
          let made = 0;
          for (const how of ["add", "put"] as const) {
            const method = IDBObjectStore.prototype[how];
            IDBObjectStore.prototype[how] = function (this: IDBObjectStore, ...given) {
              if (this.name === "entries" && ++made === requests) (globalThis as unknown as { reach: () => void }).reach();
              return method.apply(this, given);
            };
          }
          const items = Array.from({ length: count }, (_, index) => [`k${String(index).padStart(5, "0")}`, "new"] as const);
          await store.bulkStore(items, { atomic: true });
        },
        [COUNT, requests] as const,
      )
      .catch(() => "ended");
    await reached;
    await ending.close();
    await writing;
    const seen = await page.evaluate(async () => {
      const keys = await store.listKeys();
      return { keys: keys.length, first: await store.retrieve("k00000", { useCache: false }) };
    });
    expect([
      { keys: 1, first: "present" },
      { keys: COUNT, first: "new" },
    ]).toContainEqual(seen);
    // What is there is published, by whichever tab.
    await expect.poll(() => page.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
    await wire.waitFor(seen.keys === 1 ? 1 : COUNT);
  });
}

test("an atomic bulkStore of 20,000 items without a server is published as a whole after a reload and a restart", async ({
  page,
  startNats,
  openWire,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await server.stop();
  await openStoreIn(page, { servers: server.wsUrl, namespace, timeoutMs: 2_000 });
  const write = (value: string): Promise<boolean[]> =>
    page.evaluate(
      async ([count, value]) => {
        const items = Array.from({ length: count }, (_, index) => [`k${index}`, value] as const);
        return [...new Set((await store.bulkStore(items, { atomic: true })).values())];
      },
      [COUNT, value] as const,
    );
  expect(await write("old")).toEqual([false]);
  expect(await write("new")).toEqual([false]);
  await page.evaluate(() => store.close());
  await server.restart();
  const wire = await openWire(server);
  await reload(page);
  await openStoreIn(page, { servers: server.wsUrl, namespace });
  expect(await page.evaluate(() => store.flush())).toMatchObject({ pending: 0, rejected: 0 });
  await wire.waitFor(COUNT);
  expect(new Set((await wire.settled()).map(({ envelope }) => `${envelope?.metadata?.version} ${envelope?.value}`))).toEqual(
    new Set(['2 "new"']),
  );
});

test("of two tabs that write the same keys with ifVersion, one wins with all of its items", async ({ page, openPage, nats, namespace }) => {
  const tabs = [page, await openPage()];
  for (const tab of tabs) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  const outcomes = await Promise.all(
    tabs.map((tab, index) =>
      tab.evaluate(async (index) => {
        const items = Array.from({ length: 500 }, (_, n) => [`k${n}`, index, { ifVersion: 0 }] as const);
        return (await aids.refusalOf(() => store.bulkStore(items, { atomic: true })))?.code ?? "stored";
      }, index),
    ),
  );
  expect(outcomes.toSorted()).toEqual(["VERSION_CONFLICT", "stored"]);
  const values = await page.evaluate(async () => [...new Set((await store.bulkRetrieve(await store.listKeys())).values())]);
  expect(values).toEqual([outcomes.indexOf("stored")]);
});
