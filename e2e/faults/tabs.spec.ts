import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { openStoreIn } from "../support/fixtures.ts";

test.describe("coherence of tabs", () => {
  const CHANGES: Record<string, { change: (page: Page) => Promise<unknown>; then: unknown }> = {
    store: { change: (page) => page.evaluate(() => store.store("key", "new")), then: "new" },
    update: { change: (page) => page.evaluate(() => store.update("key", "new")), then: "new" },
    bulkStore: { change: (page) => page.evaluate(() => store.bulkStore({ other: 1, key: "new" })), then: "new" },
    delete: { change: (page) => page.evaluate(() => store.delete("key")), then: undefined },
    clearCache: { change: (page) => page.evaluate(() => store.clearCache()), then: undefined },
    "a sweep while the clock was ahead": {
      change: (page) =>
        page.evaluate(async () => {
          const { now } = Date;
          Date.now = () => now() + 3_600_000;
          await store.sweep();
          Date.now = now;
        }),
      then: undefined,
    },
  };

  for (const [what, { change, then }] of Object.entries(CHANGES)) {
    test(`a tab returns no stale value after ${what} in another tab`, async ({ page, openPage, nats, namespace }) => {
      const tabs = [page, await openPage(), await openPage()];
      for (const tab of tabs) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
      await page.evaluate(() => store.store("key", "old", { ttl: 600 }));
      for (const tab of tabs) {
        await expect.poll(() => tab.evaluate(() => store.retrieve("key"))).toBe("old");
        expect(await tab.evaluate(() => store.getCacheStats().keys)).toContain("key");
      }
      await change(page);
      for (const tab of tabs) {
        await expect.poll(() => tab.evaluate(() => store.retrieve("key"))).toBe(then);
        // No later read returns the old value.
        const seen = await tab.evaluate(async () => {
          const values = new Set<unknown>();
          for (let i = 0; i < 50; i++) values.add(await store.retrieve("key"));
          return [...values];
        });
        expect(seen).toEqual([then]);
      }
    });
  }

  test("a tab never reads an older value after a newer one while another tab writes", async ({ page, openPage, nats, namespace }) => {
    const writes = byForm(300, 3_000);
    const readers = [await openPage(), await openPage()];
    for (const tab of [page, ...readers]) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
    const reading = readers.map((reader) =>
      reader.evaluate(async (last) => {
        const wentBack: string[] = [];
        for (let before = 0, now = 0; now < last; before = now) {
          now = (await store.retrieve<number>("key")) ?? 0;
          if (now < before) wentBack.push(`${before} → ${now}`);
          // Lets messages of other tabs arrive, and reads from IndexedDB overlap.
          if (now === before) await new Promise((resolve) => setTimeout(resolve, 0));
        }
        return wentBack;
      }, writes),
    );
    await page.evaluate(async (writes) => {
      for (let i = 1; i <= writes; i++) await store.store("key", i);
    }, writes);
    // The readers end when they have read the last value.
    expect(await Promise.all(reading)).toEqual([[], []]);
  });

  test("a tab returns no stale value when it deletes an entry that another tab has just stored", async ({
    page,
    openPage,
    nats,
    namespace,
  }) => {
    const other = await openPage();
    for (const tab of [page, other]) await openStoreIn(tab, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
    for (let round = 0; round < byForm(20, 200); round++) {
      await page.evaluate((round) => store.store("key", round), round);
      expect(await other.evaluate(() => store.delete("key")), `round ${round}`).toBe(true);
      await expect.poll(() => page.evaluate(() => store.retrieve("key"))).toBeUndefined();
    }
  });
});
