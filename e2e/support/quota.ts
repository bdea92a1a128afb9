import type { Page } from "@playwright/test";
import { byForm } from "./fault-run.ts";
import type { test as faultTest } from "./faults.ts";
import { expect, openStoreIn, reload } from "./fixtures.ts";
import { flushAll } from "./flush-all.ts";
import type { Link } from "./link.ts";
import { installProbe } from "./probe.ts";
import type { Wire } from "./wire.ts";

/** A page whose site may store about twenty payloads. */
interface FullDisk {
  readonly page: Page;
  readonly namespace: string;
  /** Bytes. Payloads are random: Chromium compresses what it stores. */
  readonly payload: number;
}

/**
 * Makes the tests that run in each engine whose quota a test can limit.
 * @param limit limits the quota of the page's site to about twenty payloads. The function returned ends the limit.
 */
export function quotaTests(test: typeof faultTest, payload: number, limit?: (page: Page) => Promise<() => Promise<void>>): void {
  test("expired entries and then the least recently used confirmed entries are removed at the quota", async ({ page, nats, namespace }) => {
    await limit?.(page);
    await expectEviction({ page, namespace, payload, servers: nats.wsUrl });
  });

  test("writes reject QUOTA_EXCEEDED without a partial write, and reads work, when no entry can be removed", async ({
    page,
    nats,
    wire,
    openLink,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const endLimit = await limit?.(page);
    await expectRefusals({ page, namespace, payload, link: await openLink(nats), wire });
    if (endLimit === undefined) return;
    await endLimit();
    const later = await page.evaluate(fill, { prefix: "later", count: 30, bytes: payload });
    expect(new Set(later.map(({ outcome }) => outcome))).toEqual(new Set(["true"]));
    expect((await page.evaluate(check, namespace)).failures).toEqual([]);
    expect(await page.evaluate(() => store.listKeys("later*"))).toHaveLength(30);
  });
}

/** In the page: stores `count` values of `bytes` bytes one after another. Resolves to the result or the error code of each call. */
export async function fill({
  prefix,
  count,
  bytes,
}: {
  prefix: string;
  count: number;
  bytes: number;
}): Promise<{ key: string; outcome: string }[]> {
  globalThis.stored ??= {};
  const outcomes: { key: string; outcome: string }[] = [];
  for (let i = 0; i < count; i++) {
    const key = `${prefix}${String(i).padStart(3, "0")}`;
    const noise = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)));
    const value = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += noise.length) value.set(noise.subarray(0, Math.min(noise.length, bytes - at)), at);
    value[0] = i;
    const outcome = await store
      .store(key, value, { format: "binary" })
      .then(String, (error: unknown) => (error instanceof keystore.KeyStoreError ? error.code : `untyped: ${String(error)}`));
    outcomes.push({ key, outcome });
    if (outcome === "true" || outcome === "false")
      globalThis.stored[key] = { version: (globalThis.stored[key]?.version ?? 0) + 1, sum: sum(value) };
  }
  return outcomes;

  function sum(bytes: Uint8Array): string {
    let total = 0;
    for (const byte of bytes) total = (total * 31 + byte) >>> 0;
    return `${bytes.length} ${total}`;
  }
}

/** In the page: checks that each value is whole, and that entries and outbox agree. */
export async function check(namespace: string): Promise<{ keys: string[]; failures: string[] }> {
  const failures: string[] = [];
  await store.pendingWrites(); // resolves when confirmed writes have left the outbox
  const { entries, outbox } = await probe.dump(namespace);
  const keys = entries.map(([key]) => key as string);
  const versions = new Map(entries.map(([key, row]) => [key, (row as { version: number }).version]));
  for (const [, { writes }] of outbox as [unknown, { writes: { key: string; version: number }[] }][]) {
    for (const { key, version } of writes) {
      // The outbox may name an older version: it is superseded.
      const stored = versions.get(key) ?? 0;
      if (stored < version) failures.push(`the outbox has version ${version} of ${key}, the entries have ${stored}`);
    }
  }
  for (const [key, { sum }] of Object.entries(globalThis.stored ?? {})) {
    const value = await store.retrieve<Uint8Array>(key, { useCache: false }).catch((error: unknown) => String(error));
    if (value === undefined) continue; // evicted
    if (typeof value === "string") failures.push(`${key}: ${value}`);
    else {
      let total = 0;
      for (const byte of value) total = (total * 31 + byte) >>> 0;
      if (`${value.length} ${total}` !== sum) failures.push(`${key} is not the value stored last`);
    }
  }
  return { keys, failures };
}

/** Stores far more than fits, and checks that confirmed entries are evicted. */
async function expectEviction({ page, namespace, payload, servers }: FullDisk & { readonly servers: string }): Promise<void> {
  await installProbe(page);
  await openStoreIn(page, { servers, namespace, sweepIntervalMs: 0, lingerMs: 1_000, cacheSize: 0 });
  await page.evaluate(async (bytes) => {
    const noise = (): Uint8Array => Uint8Array.from({ length: bytes }, () => Math.random() * 256);
    await store.store("lives", noise(), { format: "binary" });
    await store.store("expires1", noise(), { format: "binary", ttl: 1_800 });
    await store.store("expires2", noise(), { format: "binary", ttl: 1_800 });
    probe.moveClock(3_600_000);
  }, payload);
  const count = byForm(40, 200);
  let sweptFirst = false;
  const keys = (): Promise<string[]> =>
    page.evaluate((namespace) => probe.dump(namespace).then(({ entries }) => entries.map(([key]) => key as string)), namespace);
  for (let i = 0; i < count; i++) {
    const outcomes = await page.evaluate(fill, { prefix: `k${String(i).padStart(3, "0")}-`, count: 1, bytes: payload });
    expect(
      outcomes.map(({ outcome }) => outcome),
      `store ${i}`,
    ).toEqual(["true"]);
    // Each read is a use, so the entry is never evicted.
    expect(await page.evaluate(() => store.retrieve("lives").then((value) => value !== undefined)), `after store ${i}`).toBe(true);
    const left = await keys();
    const expiredLeft = left.filter((key) => key.startsWith("expires")).length;
    if (!left.includes("k000-000")) sweptFirst ||= expiredLeft === 0;
    if (!left.includes("k000-000")) expect(expiredLeft, "expired entries after the eviction of a live entry").toBe(0);
  }
  expect(sweptFirst, "the quota was reached").toBe(true);
  const { keys: left, failures } = await page.evaluate(check, namespace);
  expect(failures).toEqual([]);
  // The newest entries are kept, without a gap. The oldest are evicted.
  const numbers = left.filter((key) => key.startsWith("k")).map((key) => Number(key.slice(1, 4)));
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => count - numbers.length + i));
  expect(numbers.length).toBeGreaterThan(3);
  expect(await page.evaluate(() => store.pendingWrites())).toEqual([]);
}

/** Stores more than fits while the server is unreachable, and checks that writes reject. Then publishes the queued writes. */
async function expectRefusals({
  page,
  namespace,
  payload,
  link,
  wire,
}: FullDisk & { readonly link: Link; readonly wire: Wire }): Promise<void> {
  await link.cut();
  await installProbe(page);
  const options = { servers: link.wsUrl, namespace, sweepIntervalMs: 0, maxPayloadBytes: 100 * payload };
  await openStoreIn(page, options);

  // Nothing is confirmed, so nothing may be evicted.
  const outcomes = await page.evaluate(fill, { prefix: "k", count: byForm(40, 200), bytes: payload });
  const kinds = new Set(outcomes.map(({ outcome }) => outcome));
  expect([...kinds].toSorted()).toEqual(["QUOTA_EXCEEDED", "false"]);
  const stored = outcomes.filter(({ outcome }) => outcome === "false").map(({ key }) => key);
  expect(stored.length).toBeGreaterThan(5);
  const consistent = async (): Promise<void> => {
    const { keys, failures } = await page.evaluate(check, namespace);
    expect(failures).toEqual([]);
    expect(keys.toSorted()).toEqual(stored.toSorted());
    expect(await page.evaluate(() => store.pendingWrites().then((writes) => writes.map(({ key }) => key).toSorted()))).toEqual(
      stored.toSorted(),
    );
  };
  await consistent();

  // Every kind of write rejects; every kind of read works.
  const refusals = await page.evaluate(
    async ([bytes, key]) => {
      const large = Uint8Array.from({ length: bytes }, () => Math.random() * 256);
      return [
        await aids.refusalOf(() => store.store("new", large, { format: "binary" })),
        await aids.refusalOf(() => store.store(key, large, { format: "binary" })),
        await aids.refusalOf(() => store.update(key, large)),
        await aids.refusalOf(() => store.bulkStore({ new1: large, new2: large }, { format: "binary" })),
      ];
    },
    [5 * payload, stored[0]!] as const,
  );
  for (const refusal of refusals)
    expect(refusal).toMatchObject({ code: "QUOTA_EXCEEDED", isKeyStoreError: true, message: expect.stringMatching(/full/) });
  await consistent();
  const reads = await page.evaluate(
    async (keys) => ({
      retrieve: (await store.retrieve<Uint8Array>(keys[0]!))?.length,
      bulk: (await store.bulkRetrieve(keys)).size,
      exists: await store.exists(keys[0]!),
      version: (await store.getMetadata(keys[0]!))?.version,
      listed: (await store.listKeys()).length,
      entries: (await store.getStorageStats()).entries,
    }),
    stored,
  );
  expect(reads).toEqual({
    retrieve: payload,
    bulk: stored.length,
    exists: true,
    version: 1,
    listed: stored.length,
    entries: stored.length,
  });

  // A reload changes nothing.
  await reload(page);
  await installProbe(page);
  await openStoreIn(page, options);
  await consistent();

  // Queued writes are published although the disk is full. Then their entries can be evicted.
  await link.mend();
  await flushAll(page);
  expect(new Set((await wire.settled()).map(({ envelope }) => envelope?.key))).toEqual(new Set(stored));
  const [after] = await page.evaluate(fill, { prefix: "after", count: 1, bytes: payload });
  expect(after?.outcome).toBe("true");
  expect(await page.evaluate(() => store.exists("after000"))).toBe(true);
}

declare global {
  /** The values that were stored with success. */
  var stored: Record<string, { version: number; sum: string }> | undefined;
}
