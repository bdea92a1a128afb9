import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

const COUNT = 20_000;

test("entries iterates over 20,000 entries in order, after a reload, and reads them page by page", async ({
  page,
  startNats,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startNats();
  await server.stop();
  const options = { servers: server.wsUrl, namespace, timeoutMs: 2_000 };
  await openStoreIn(page, options);
  await page.evaluate(async (count) => {
    // In no order, and in several calls: keys of one block are not neighbours.
    const keys = Array.from({ length: count }, (_, index) => `k${String((index * 7_919) % count).padStart(6, "0")}`);
    for (let start = 0; start < count; start += 5_000) {
      await store.bulkStore(keys.slice(start, start + 5_000).map((key) => [key, { key }] as const));
    }
  }, COUNT);
  await reload(page);
  await openStoreIn(page, options);
  const seen = await page.evaluate(async () => {
    let rows = 0;
    let mostRowsBetweenSteps = 0;
    const { get } = IDBIndex.prototype;
    IDBIndex.prototype.get = function (this: IDBIndex, key) {
      rows++;
      return get.call(this, key);
    };
    let count = 0;
    let last = "";
    let isInOrder = true;
    let pending = 0;
    for await (const [key, value, metadata] of store.entries<{ key: string }>("k*")) {
      mostRowsBetweenSteps = Math.max(mostRowsBetweenSteps, rows);
      rows = 0;
      isInOrder &&= last < key && value.key === key;
      pending += Number(metadata.pending);
      last = key;
      count++;
    }
    return { count, isInOrder, pending, mostRowsBetweenSteps };
  });
  expect(seen).toMatchObject({ count: COUNT, isInOrder: true, pending: COUNT });
  expect(seen.mostRowsBetweenSteps, "records that are loaded for one page").toBeLessThanOrEqual(300);

  const listed = await page.evaluate(async () => {
    let keys = 0;
    let calls = 0;
    for (let after = ""; ; calls++) {
      const part = await store.listKeys("k*", { after, limit: 5_000 });
      if (part.length === 0) return { keys, calls, all: (await store.listKeys()).length };
      keys += part.length;
      after = part.at(-1)!;
    }
  });
  expect(listed).toEqual({ keys: COUNT, calls: COUNT / 5_000, all: COUNT });
});

test("entries sees what another tab writes and deletes ahead of it", async ({ page, openPage, nats, namespace }) => {
  const other = await openPage();
  for (const tab of [page, other]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
  await page.evaluate(() =>
    store.bulkStore(Array.from({ length: 1_000 }, (_, index) => [`k${String(index).padStart(4, "0")}`, "old"] as const)),
  );
  await page.exposeFunction("changeInOtherTab", () =>
    other.evaluate(async () => {
      await store.store("k0998", "new");
      await store.delete("k0999");
      await store.store("k0999a", "new");
    }),
  );
  const last = await page.evaluate(async () => {
    const seen: [string, unknown][] = [];
    for await (const [key, value] of store.entries()) {
      if (seen.length === 0) await (globalThis as unknown as { changeInOtherTab: () => Promise<void> }).changeInOtherTab();
      seen.push([key, value]);
    }
    return seen.slice(-3);
  });
  expect(last).toEqual([
    ["k0997", "old"],
    ["k0998", "new"],
    ["k0999a", "new"],
  ]);
});
