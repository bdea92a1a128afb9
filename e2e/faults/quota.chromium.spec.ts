import type { CDPSession, Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { flushAll } from "../support/flush-all.ts";
import { openStoreIn } from "../support/fixtures.ts";
import { installProbe } from "../support/probe.ts";
import { check, quotaTests } from "../support/quota.ts";

const MIB = 2 ** 20;

interface Quota {
  set(bytes: number | undefined): Promise<void>;
  usage(): Promise<number>;
}

/**
 * Must be set before the page's first write: Chromium caches the free space for half a minute, and measures it again only for a write that does
 * not fit.
 */
async function quotaOf(page: Page): Promise<Quota> {
  const devtools: CDPSession = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  return {
    set: async (bytes) =>
      void (await devtools.send("Storage.overrideQuotaForOrigin", { origin, ...(bytes === undefined ? {} : { quotaSize: bytes }) })),
    usage: async () => (await devtools.send("Storage.getUsageAndQuota", { origin })).usage,
  };
}

quotaTests(test, 100_000, async (page) => {
  const quota = await quotaOf(page);
  await quota.set(2 * MIB);
  return () => quota.set(undefined);
});

test("a bulkStore that exceeds the quota names the keys that it committed before", async ({ page, nats, namespace }) => {
  const quota = await quotaOf(page);
  await quota.set(2 * MIB);
  await installProbe(page);
  // The slices are confirmed only after the call, so that no slice can be evicted for the next.
  await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
  const refusal = await page.evaluate(async () => {
    const items = Array.from({ length: 40 }, (_, i): [string, Uint8Array] => [
      `k${i}`,
      Uint8Array.from({ length: 200_000 }, () => Math.random() * 256),
    ]);
    return aids.refusalOf(() => store.bulkStore(items, { format: "binary" }));
  });
  if (refusal !== undefined) {
    expect(refusal).toMatchObject({ code: "QUOTA_EXCEEDED", isKeyStoreError: true });
    const named = (refusal.results ?? []).map(([key]) => key);
    // The results name every entry that exists. A named entry may have been evicted.
    const keys = await page.evaluate(() => store.listKeys());
    for (const key of keys) expect(named).toContain(key);
  }
  const { failures } = await page.evaluate(check, namespace);
  expect(failures).toEqual([]);
});

test("each write near the quota is stored completely or not at all", async ({ page, nats, namespace, random }) => {
  const quota = await quotaOf(page);
  await quota.set(2 * MIB);
  await installProbe(page);
  await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000 });
  const typed = /^(?:true|false|QUOTA_EXCEEDED)$/;
  for (let round = 0; round < byForm(12, 120); round++) {
    await quota.set(random.pick([1, 2, 3, 5]) * MIB);
    // Small and large entries at the same time, several with the same key.
    const outcomes = await page.evaluate(
      async (prefix) => {
        const store1 = (key: string, bytes: number): Promise<string> =>
          store
            .store(
              key,
              Uint8Array.from({ length: bytes }, () => Math.random() * 256),
              { format: "binary" },
            )
            .then(String, (error: unknown) => (error instanceof keystore.KeyStoreError ? error.code : `untyped: ${String(error)}`));
        return Promise.all(Array.from({ length: 12 }, (_, i) => store1(`${prefix}${i % 8}`, i % 3 === 0 ? 400_000 : 1_000)));
      },
      `r${round % 5}-`,
    );
    for (const outcome of outcomes) expect(outcome, `round ${round}`).toMatch(typed);
    expect((await page.evaluate(check, namespace)).failures, `round ${round}`).toEqual([]);
  }
  await quota.set(undefined);
  await flushAll(page);
  expect(await page.evaluate(() => store.store("last", "fits"))).toBe(true);
});
