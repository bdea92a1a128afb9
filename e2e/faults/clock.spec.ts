import type { Page } from "@playwright/test";
import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { flushAll } from "../support/flush-all.ts";
import { openStoreIn, reload } from "../support/fixtures.ts";
import { installProbe } from "../support/probe.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365.25 * DAY;
const JUMPS = { "1 h": HOUR, "7 days": 7 * DAY, "10 years": 10 * YEAR };

/** Calls that find an expired entry absent, and their results. */
const READS: Record<string, { read: (page: Page) => Promise<unknown>; absent: unknown }> = {
  retrieve: { read: (page) => page.evaluate(() => store.retrieve("key")), absent: undefined },
  "retrieve from IndexedDB": { read: (page) => page.evaluate(() => store.retrieve("key", { useCache: false })), absent: undefined },
  bulkRetrieve: { read: (page) => page.evaluate(() => store.bulkRetrieve(["key"]).then((found) => found.size)), absent: 0 },
  exists: { read: (page) => page.evaluate(() => store.exists("key")), absent: false },
  getMetadata: { read: (page) => page.evaluate(() => store.getMetadata("key")), absent: undefined },
  listKeys: { read: (page) => page.evaluate(() => store.listKeys("key")), absent: [] },
  "listKeys by tag": { read: (page) => page.evaluate(() => store.listKeys("*", { tag: "tag" })), absent: [] },
  sweep: { read: (page) => page.evaluate(() => store.sweep().then(() => true)), absent: true },
};

async function expectAbsent(page: Page, when: string): Promise<void> {
  const found = await page.evaluate(async () => ({
    retrieve: await store.retrieve("key"),
    cold: await store.retrieve("key", { useCache: false }),
    bulk: [...(await store.bulkRetrieve(["key"])).keys()],
    exists: await store.exists("key"),
    metadata: await store.getMetadata("key"),
    listed: await store.listKeys("key"),
    tagged: await store.listKeys("*", { tag: "tag" }),
    cached: store.getCacheStats().keys.includes("key"),
  }));
  expect
    .soft(found, when)
    .toEqual({ retrieve: undefined, cold: undefined, bulk: [], exists: false, metadata: undefined, listed: [], tagged: [], cached: false });
}

for (const [jump, ms] of Object.entries(JUMPS)) {
  test(`an entry that expired when the clock jumped ${jump} ahead stays absent when the clock jumps back`, async ({
    page,
    nats,
    namespace,
  }) => {
    await installProbe(page);
    for (const [index, [what, { read, absent }]] of Object.entries(READS).entries()) {
      for (const cacheSize of [0, 100]) {
        const options = {
          servers: nats.wsUrl,
          namespace: `${namespace}-${index}-${cacheSize}`,
          sweepIntervalMs: 0,
          lingerMs: 1_000,
          cacheSize,
        };
        await openStoreIn(page, options);
        await page.evaluate(() => store.store("key", "value", { ttl: 1_800, tags: ["tag"] }));
        await page.evaluate((ms) => probe.moveClock(ms), ms);
        expect(await read(page), what).toEqual(absent);
        await page.evaluate((ms) => probe.moveClock(-ms), ms);
        const when = `after ${what}, with ${cacheSize} entries in memory`;
        await expectAbsent(page, when);
        await page.evaluate(() => store.close());
        await openStoreIn(page, options);
        await expectAbsent(page, `${when}, in a new store`);
        // The next write of the key continues above the removed version.
        expect
          .soft(
            await page.evaluate(() =>
              store
                .store("key", "new")
                .then(() => store.getMetadata("key"))
                .then((metadata) => metadata?.version),
            ),
            when,
          )
          .toBe(2);
        await page.evaluate(() => store.close());
      }
    }
  });

  test(`an entry stays readable when the clock jumps ${jump} back, and expires at its time`, async ({ page, nats, namespace }) => {
    await installProbe(page);
    await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
    await page.evaluate(() => store.store("key", "value", { ttl: 60 }));
    const expiresAt = await page.evaluate(() => store.getMetadata("key").then((metadata) => metadata?.expiresAt?.getTime()));
    await page.evaluate((ms) => probe.moveClock(-ms), ms);
    expect(await page.evaluate(() => store.retrieve("key"))).toBe("value");
    expect(await page.evaluate(() => store.getMetadata("key").then((metadata) => metadata?.expiresAt?.getTime()))).toBe(expiresAt);
    // Times go back with the clock. Versions do not.
    expect(await page.evaluate(() => store.store("key", "next"))).toBe(true);
    expect(await page.evaluate(() => store.getMetadata("key").then((metadata) => metadata?.version))).toBe(2);
    await page.evaluate((ms) => probe.moveClock(ms + 61_000), ms);
    expect(await page.evaluate(() => store.exists("key"))).toBe(true); // the last store had no ttl
  });

  test(`no unconfirmed write is lost by expiry when the clock jumps ${jump} ahead`, async ({
    page,
    nats,
    wire,
    openLink,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    const options = { servers: link.wsUrl, namespace, sweepIntervalMs: 0, maxEntries: 5 };
    await openStoreIn(page, options);
    await page.evaluate(() => store.bulkStore({ first: 1, second: 2 }, { ttl: 1_800 }));
    await wire.waitFor(2);
    await link.cut();
    await page.evaluate(async () => {
      await store.store("first", "unconfirmed", { ttl: 1 });
      await store.store("third", "unconfirmed", { ttl: 1 });
      await store.delete("second");
      await store.store("fourth", "lives");
    });
    const before = await page.evaluate(() => store.pendingWrites());
    await reload(page);
    await installProbe(page);
    await page.evaluate((ms) => probe.moveClock(ms), ms);
    await openStoreIn(page, options);
    expect(await page.evaluate(() => store.bulkRetrieve(["first", "second", "third", "fourth"]).then((found) => [...found]))).toEqual([
      ["fourth", "lives"],
    ]);
    await page.evaluate(async () => {
      await store.sweep();
      await store.clearCache();
      await store.exists("first");
    });
    expect(
      await page.evaluate(() =>
        store.pendingWrites().then((writes) => writes.map(({ key, version, operation }) => ({ key, version, operation }))),
      ),
    ).toEqual(before.map(({ key, version, operation }) => ({ key, version, operation })));
    await page.evaluate((ms) => probe.moveClock(-ms), ms);
    // After the clock has jumped back, expired entries stay absent.
    expect(await page.evaluate(() => store.listKeys())).toEqual(["fourth"]);
    expect(
      await page.evaluate(() => store.bulkRetrieve(["first", "second", "third", "fourth"]).then((found) => [...found.keys()])),
    ).toEqual(["fourth"]);

    await link.mend();
    await flushAll(page);
    const messages = (await wire.waitFor(2 + 4)).slice(2);
    const published = messages.map(({ envelope }) => [
      envelope?.key,
      envelope?.operation,
      envelope?.metadata?.version ?? envelope?.version,
    ]);
    expect(published.toSorted()).toEqual([
      ["first", "store", 2],
      ["fourth", "store", 1],
      ["second", "delete", 2],
      ["third", "store", 1],
    ]);
    expect(await page.evaluate(() => store.listKeys())).toEqual(["fourth"]);
    expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
  });
}

test("no expired entry returns and versions stay in order when the clock jumps in either direction", async ({
  page,
  nats,
  wire,
  namespace,
  random,
}) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0, lingerMs: 1_000, cacheSize: 2 });
  await installProbe(page);
  const report = await page.evaluate(storeReadAndJump, {
    steps: byForm(1_000, 10_000),
    seed: random.int(0, 2 ** 31),
    jumps: Object.values(JUMPS),
  });
  expect(report.failures).toEqual([]);

  const messages = await wire.settled();
  const failures: string[] = [];
  for (const [key, versions] of Object.entries(report.versions)) {
    const sent = messages.filter(({ envelope }) => envelope?.key === key).map(({ envelope }) => envelope?.metadata?.version);
    const isSame = sent.length === versions.length && versions.every((version, index) => version === null || version === sent[index]);
    const rises = sent.every((version, index) => index === 0 || (version ?? 0) > (sent[index - 1] ?? 0));
    if (!isSame || !rises) failures.push(`${key}: ${versions.join(" ")} were committed, ${sent.join(" ")} were sent`);
  }
  expect(failures).toEqual([]);
});

/** In the page: stores, reads and moves the clock at random. Checks that an absent key stays absent until it is stored again. */
async function storeReadAndJump({ steps, seed, jumps }: { steps: number; seed: number; jumps: number[] }) {
  const random = probe.random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const keys = ["a", "b", "c", "d"];
  const failures: string[] = [];
  /** Of a write that had expired before its version was read: null. */
  const versions: Record<string, (number | null)[]> = {};
  const known = new Map<string, { value: number; version: number; expiresAt: number }>();
  for (let step = 0; step < steps; step++) {
    const key = pick(keys);
    const choice = random();
    if (choice < 0.25) {
      probe.moveClock(pick(jumps) * pick([1, -1]));
    } else if (choice < 0.5) {
      const ttl = pick([undefined, 1, 1_800, 86_400 * 3, 86_400 * 365]);
      const existed = await store.exists(key);
      const before = known.get(key);
      const confirmed = await store.store(key, step, ttl === undefined ? {} : { ttl });
      if (!confirmed) failures.push(`step ${step}: ${key} is not confirmed`);
      const metadata = await store.getMetadata(key);
      // A ttl of a second may be over by now.
      if (metadata !== undefined && existed && before !== undefined && metadata.version !== before.version + 1)
        failures.push(`step ${step}: ${key} has version ${metadata.version}, not ${before.version + 1}`);
      (versions[key] ??= []).push(metadata?.version ?? null);
      known.set(key, {
        value: step,
        version: metadata?.version ?? (before?.version ?? 0) + 1,
        expiresAt: ttl === undefined ? Infinity : Date.now() + ttl * 1_000,
      });
    } else if (choice < 0.55) {
      await store.sweep();
      for (const [other, { expiresAt }] of known) if (expiresAt <= Date.now()) known.delete(other);
    } else {
      const useCache = random() < 0.5;
      const now = Date.now();
      const value = await store.retrieve<number>(key, { useCache });
      const expected = known.get(key);
      if (value === undefined) {
        if (expected !== undefined && expected.expiresAt > now + 1_000) failures.push(`step ${step}: ${key} is absent`);
        known.delete(key);
      } else if (expected === undefined) {
        failures.push(`step ${step}: ${key} is present again with ${value}`);
        known.set(key, { value, version: 0, expiresAt: Infinity });
      } else if (value !== expected.value) failures.push(`step ${step}: ${key} is ${value}, not ${expected.value}`);
    }
  }
  return { failures: failures.slice(0, 20), versions };
}
