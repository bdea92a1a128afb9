import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { flushAll } from "../support/flush-all.ts";
import { openStoreIn, reload } from "../support/fixtures.ts";
import { freePorts } from "../support/ports.ts";
import { installProbe } from "../support/probe.ts";

/** Resolves to the keys once there are `count` of them. Evictions run in the background. */
async function keysOnceCounted(page: Page, count: number): Promise<string[]> {
  await expect.poll(() => page.evaluate(async () => (await store.listKeys()).length)).toBe(count);
  return page.evaluate(() => store.listKeys());
}

/** Closes the store. `close` waits for background work. */
async function closeStore(page: Page): Promise<void> {
  await page.evaluate(() => store.close());
}

/** Reloads the page once the use of `k0` is in the database. Uses are written in batches. */
async function reloadOnceWritten(page: Page, namespace: string, isUse: boolean): Promise<void> {
  await installProbe(page);
  const newest = (): Promise<string> =>
    page.evaluate(async (namespace) => {
      const { entries } = await probe.dump(namespace);
      const rows = entries as [string, { lastUsed: number }][];
      return rows.toSorted(([, a], [, b]) => b.lastUsed - a.lastUsed)[0]![0];
    }, namespace);
  if (isUse) await expect.poll(newest, "the key whose use was written last").toBe("k0");
  await reload(page);
}

test("maxEntries evicts the least recently used entries exactly down to the limit without a sweep", async ({ page, nats, namespace }) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace, maxEntries: 10, sweepIntervalMs: 0, lingerMs: 1_000 });
  await page.evaluate(async () => {
    for (let i = 0; i < 30; i++) await store.store(`k${String(i).padStart(2, "0")}`, i);
  });
  const newest = Array.from({ length: 10 }, (_, i) => `k${20 + i}`);
  expect(await keysOnceCounted(page, 10)).toEqual(newest);
  await closeStore(page);

  await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
  expect(await page.evaluate(() => store.listKeys())).toEqual(newest);
  expect(await page.evaluate(() => store.retrieve("k19", { useCache: false }))).toBeUndefined();
  expect(await page.evaluate(() => store.getStorageStats())).toMatchObject({ entries: 10, pendingWrites: 0 });
});

test("maxBytes evicts entries only until the payloads fit", async ({ page, nats, namespace }) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace, maxBytes: 1_000, sweepIntervalMs: 0, lingerMs: 1_000 });
  // Each entry has 100 bytes.
  await page.evaluate(async () => {
    for (let i = 0; i < 25; i++) await store.store(`k${String(i).padStart(2, "0")}`, "x".repeat(100), { format: "text" });
  });
  expect(await keysOnceCounted(page, 10)).toEqual(Array.from({ length: 10 }, (_, i) => `k${15 + i}`));

  // An entry of 250 bytes evicts three.
  await page.evaluate(() => store.store("large", "y".repeat(250), { format: "text" }));
  expect(await keysOnceCounted(page, 8)).toEqual(["k18", "k19", "k20", "k21", "k22", "k23", "k24", "large"]);
  await closeStore(page);

  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate(() => store.getStorageStats())).toMatchObject({ entries: 8, bytes: 950 });
});

test("a bulkStore far above the limit leaves exactly the limit", async ({ page, nats, namespace }) => {
  const count = byForm(1_000, 10_000);
  await openStoreIn(page, { servers: nats.wsUrl, namespace, maxEntries: 50, sweepIntervalMs: 0 });
  await page.evaluate((count) => store.bulkStore(Array.from({ length: count }, (_, i): [string, number] => [`k${i}`, i])), count);
  const left = await keysOnceCounted(page, 50);
  await closeStore(page);
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate(() => store.listKeys())).toEqual(left);
  expect(left.map((key) => Number(key.slice(1))).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => count - 50 + i));
});

const USES: Record<string, (page: Page) => Promise<unknown>> = {
  "a retrieve from memory": (page) => page.evaluate(() => store.retrieve("k0")),
  "a retrieve from IndexedDB": (page) => page.evaluate(() => store.retrieve("k0", { useCache: false })),
  "a bulkRetrieve": (page) => page.evaluate(() => store.bulkRetrieve(["k0"]).then((found) => found.size)),
  "a bulkRetrieve from IndexedDB": (page) =>
    page.evaluate(() => store.bulkRetrieve(["k0"], { useCache: false }).then((found) => found.size)),
  "an update": (page) => page.evaluate(() => store.update("k0", "updated")),
};
const NO_USES: Record<string, (page: Page) => Promise<unknown>> = {
  exists: (page) => page.evaluate(() => store.exists("k0")),
  getMetadata: (page) => page.evaluate(() => store.getMetadata("k0").then((metadata) => metadata?.version)),
  listKeys: (page) => page.evaluate(() => store.listKeys()),
};

for (const [whether, then] of [
  ["at once", async () => {}],
  ["across a reload", reloadOnceWritten],
  ["across a close", closeStore],
] as const) {
  test(`retrieve counts as a use and other reads do not, ${whether}`, async ({ page, nats, namespace }) => {
    for (const [index, [what, use]] of [...Object.entries(USES), ...Object.entries(NO_USES)].entries()) {
      const options = { servers: nats.wsUrl, namespace: `${namespace}-${index}`, maxEntries: 5, sweepIntervalMs: 0, lingerMs: 1_000 };
      await openStoreIn(page, options);
      await page.evaluate(async () => {
        for (let i = 0; i < 5; i++) await store.store(`k${i}`, `value ${i}`);
      });
      expect(await use(page), what).toBeTruthy();
      await then(page, options.namespace, what in USES);
      if (whether !== "at once") await openStoreIn(page, options);
      await page.evaluate(() => store.store("k5", "value 5"));
      const left = await keysOnceCounted(page, 5);
      expect.soft(left, what).toEqual(what in USES ? ["k0", "k2", "k3", "k4", "k5"] : ["k1", "k2", "k3", "k4", "k5"]);
    }
  });
}

test("the least recently used entry is evicted first, independent of the number of uses", async ({ page, nats, namespace, random }) => {
  // Compares the library with a list of keys in the order of use.
  const options = { servers: nats.wsUrl, namespace, maxEntries: 8, sweepIntervalMs: 0, lingerMs: 1_000, cacheSize: 4 };
  await openStoreIn(page, options);
  let used: string[] = [];
  const use = (key: string): void => void (used = [...used.filter((other) => other !== key), key]);
  for (let step = 0; step < byForm(60, 600); step++) {
    const key = `k${random.int(0, 14)}`;
    const choice = random.next();
    if (choice < 0.5) {
      const value = await page.evaluate((key) => store.retrieve(key), key);
      expect(value !== undefined, `step ${step}: ${key} exists`).toBe(used.includes(key));
      if (value !== undefined) use(key);
    } else if (choice < 0.9) {
      expect(await page.evaluate(([key, step]) => store.store(key, step + 1), [key, step] as const)).toBe(true);
      use(key);
      used = used.slice(-8);
      await keysOnceCounted(page, used.length);
    } else {
      await closeStore(page);
      if (choice < 0.95) await reload(page);
      await openStoreIn(page, options);
    }
    expect(await page.evaluate(() => store.listKeys()), `step ${step}`).toEqual(used.toSorted());
  }
});

test("no unconfirmed entry is evicted, and the entries above the limit are evicted once they are confirmed", async ({
  page,
  nats,
  wire,
  openLink,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const link = await openLink(nats);
  const options = { servers: link.wsUrl, namespace, maxEntries: 5, maxBytes: 200, sweepIntervalMs: 0 };
  await openStoreIn(page, options);
  await page.evaluate(async () => {
    for (let i = 0; i < 5; i++) await store.store(`old${i}`, i);
  });
  await wire.waitFor(5);
  await link.cut();
  await page.evaluate(async () => {
    for (let i = 0; i < 20; i++) await store.store(`new${String(i).padStart(2, "0")}`, "x".repeat(50));
    await store.delete("absent");
  });
  // Confirmed entries are evicted. Unconfirmed entries stay, although they exceed the limit.
  const unconfirmed = Array.from({ length: 20 }, (_, i) => `new${String(i).padStart(2, "0")}`);
  expect(await keysOnceCounted(page, 20)).toEqual(unconfirmed);
  await reload(page);
  await openStoreIn(page, options);
  await page.evaluate(() => store.retrieve("new00"));
  expect(await page.evaluate(() => store.listKeys())).toEqual(unconfirmed);
  expect(await page.evaluate(() => store.pendingWrites())).toHaveLength(21);
  await closeStore(page);
  await openStoreIn(page, options);
  expect(await page.evaluate(() => store.listKeys())).toEqual(unconfirmed);

  await link.mend();
  await flushAll(page);
  await wire.waitFor(5 + 21);
  expect(new Set(wire.messages.slice(5).map(({ envelope }) => envelope?.key))).toEqual(new Set([...unconfirmed, "absent"]));
  // Each entry has 52 bytes, so three fit.
  expect(await keysOnceCounted(page, 3)).toHaveLength(3);
  await closeStore(page);
  await openStoreIn(page, { ...options, maxEntries: 1_000, maxBytes: 1_000_000 });
  const left = await page.evaluate(() => store.listKeys());
  expect(left).toHaveLength(3);
  expect(left).toContain("new00");
});

test("expired entries are evicted before live entries", async ({ page, nats, namespace }) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace, maxEntries: 5, sweepIntervalMs: 0 });
  await page.evaluate(async () => {
    for (let i = 0; i < 3; i++) await store.store(`lives${i}`, i);
    for (let i = 0; i < 2; i++) await store.store(`expires${i}`, i, { ttl: 60 });
    const now = Date.now();
    Date.now = () => now + 61_000;
    await store.store("lives3", 3);
    await store.store("lives4", 4);
  });
  expect(await keysOnceCounted(page, 5)).toEqual(["lives0", "lives1", "lives2", "lives3", "lives4"]);
  await closeStore(page);
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate(() => store.listKeys())).toHaveLength(5);
});

test("several tabs together evict exactly down to the limit", async ({ page, openPage, nats, namespace }) => {
  const options = { servers: nats.wsUrl, namespace, maxEntries: 10, sweepIntervalMs: 0, lingerMs: 1_000 };
  const pages = [page, await openPage(), await openPage()];
  for (const tab of pages) await openStoreIn(tab, options);
  await page.evaluate(() => store.bulkStore(Array.from({ length: 10 }, (_, i): [string, number] => [`a${i}`, i])));
  // After its first write, each tab counts the entries of the database.
  for (const tab of pages) await tab.evaluate(() => store.store("a0", "again"));
  const rounds = byForm(20, 200);
  for (let round = 0; round < rounds; round++) {
    await pages[round % 3]!.evaluate((round) => store.store(`b${round}`, round), round);
    await keysOnceCounted(page, 10);
  }
  for (const tab of pages) await closeStore(tab);
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  const expected = Array.from({ length: 10 }, (_, i) => `b${rounds - 10 + i}`).toSorted();
  expect(await page.evaluate(() => store.listKeys())).toEqual(expected);
});

test("three tabs that write at the same time leave exactly the limit", async ({ page, openPage, nats, namespace }) => {
  const pages = [page, await openPage(), await openPage()];
  for (const tab of pages) await openStoreIn(tab, { servers: nats.wsUrl, namespace, maxEntries: 20, sweepIntervalMs: 0, lingerMs: 1_000 });
  await Promise.all(
    pages.map((tab, t) =>
      tab.evaluate(
        async ([t, count]) => {
          for (let i = 0; i < count; i++) await store.store(`${t}-${i}`, i);
        },
        [t, byForm(40, 400)] as const,
      ),
    ),
  );
  await keysOnceCounted(page, 20);
  for (const tab of pages) await closeStore(tab);
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  expect(await page.evaluate(() => store.listKeys())).toHaveLength(20);
});

test("no tab returns an evicted key from memory", async ({ page, openPage, nats, namespace }) => {
  const options = { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 };
  await openStoreIn(page, { ...options, maxEntries: 3 });
  const other = await openPage();
  await openStoreIn(other, options);
  await page.evaluate(() => store.store("a", 1));
  expect(await other.evaluate(() => store.retrieve("a"))).toBe(1);
  await page.evaluate(async () => {
    for (const key of ["b", "c", "d"]) await store.store(key, 1);
  });
  await keysOnceCounted(page, 3);
  expect(await page.evaluate(() => store.retrieve("a"))).toBeUndefined();
  await expect.poll(() => other.evaluate(() => store.retrieve("a"))).toBeUndefined();
});

for (const [asks, options] of [
  [0, {}],
  [0, { persist: false }],
  [1, { persist: true }],
] as const) {
  test(`a store with ${JSON.stringify(options)} requests persistence ${asks} times, at the first write`, async ({
    page,
    nats,
    namespace,
  }) => {
    await page.evaluate(() => {
      globalThis.asked = 0;
      StorageManager.prototype.persist = () => {
        globalThis.asked++;
        return Promise.resolve(false);
      };
    });
    const asked = (): Promise<number> => page.evaluate(() => globalThis.asked);
    await openStoreIn(page, { servers: nats.wsUrl, namespace, ...options });
    await page.evaluate(async () => {
      await store.retrieve("a");
      await store.exists("a");
      await store.listKeys();
      await store.ping();
    });
    expect(await asked()).toBe(0);
    await page.evaluate(() => store.store("a", 1));
    expect(await asked()).toBe(asks);
    await page.evaluate(async () => {
      await store.store("a", 2);
      await store.bulkStore({ b: 1, c: 2 });
      await store.update("a", 3);
      await store.delete("a");
    });
    expect(await asked()).toBe(asks);
  });
}

test("a store works when the browser refuses or lacks persistent storage", async ({ page, nats, namespace }) => {
  for (const refusal of ["rejects", "throws", "is missing"] as const) {
    await page.evaluate((refusal) => {
      const storage = StorageManager.prototype as { persist?: () => Promise<boolean> };
      if (refusal === "rejects") storage.persist = () => Promise.reject(new TypeError("no"));
      if (refusal === "throws") {
        storage.persist = () => {
          throw new TypeError("no");
        };
      }
      if (refusal === "is missing") delete storage.persist;
    }, refusal);
    await openStoreIn(page, { servers: nats.wsUrl, namespace, persist: true });
    const refused = await page.evaluate(() => aids.refusalOf(() => store.store("a", 1)));
    expect.soft(refused, `persist ${refusal}`).toBeUndefined();
    await closeStore(page);
  }
});

test("getStorageStats returns the browser's quota and usage", async ({ page, nats, namespace }) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace });
  await page.evaluate(() => store.bulkStore({ a: "x".repeat(1_000), b: "y" }));
  const [stats, estimate] = await page.evaluate(async () => [await store.getStorageStats(), await navigator.storage.estimate()] as const);
  expect(stats).toMatchObject({ entries: 2, bytes: 1_005, pendingWrites: 0, rejectedWrites: 0, quotaBytes: estimate.quota });
  expect(stats.usageBytes).toBeGreaterThan(0);
});

test("getStorageStats omits quota and usage when the browser refuses an estimate", async ({ page, namespace, consoleGuard }) => {
  consoleGuard.allowFailedSockets();
  const [unreachable] = await freePorts(1);
  await openStoreIn(page, { servers: `ws://127.0.0.1:${unreachable}`, namespace });
  await page.evaluate(() => {
    StorageManager.prototype.estimate = () => Promise.reject(new TypeError("no"));
  });
  await page.evaluate(() => store.store("a", 1));
  expect(await page.evaluate(() => store.getStorageStats())).toEqual({ entries: 1, bytes: 1, pendingWrites: 1, rejectedWrites: 0 });
});

declare global {
  /** The number of requests for persistence. */
  var asked: number;
}
