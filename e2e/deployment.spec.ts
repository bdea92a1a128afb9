import type { Page } from "@playwright/test";
import { NEWER_PAGE } from "./support/build-page.ts";
import { expect, openStoreIn, test, visit } from "./support/fixtures.ts";

interface Change {
  readonly make: (writer: Page) => Promise<unknown>;
  /** The value of "key" after the change. */
  readonly value: unknown;
}

const CHANGES: Readonly<Record<string, Change>> = {
  store: { make: (writer) => writer.evaluate(() => store.store("key", "new")), value: "new" },
  bulkStore: { make: (writer) => writer.evaluate(() => store.bulkStore({ key: "new", more: 1 })), value: "new" },
  delete: { make: (writer) => writer.evaluate(() => store.delete("key")), value: undefined },
  clearCache: { make: (writer) => writer.evaluate(() => store.clearCache()), value: undefined },
  // The writer keeps two entries: its third write evicts the entry that has not been read for the longest time.
  eviction: {
    make: async (writer) => {
      await writer.evaluate(() => store.store("third", 1));
      await expect.poll(() => writer.evaluate(() => store.getStorageStats().then(({ entries }) => entries))).toBe(2);
    },
    value: undefined,
  },
};

test.describe("after a deployment, tabs of two protocol versions share a browser", () => {
  for (const writes of ["older", "newer"] as const) {
    for (const [name, { make, value }] of Object.entries(CHANGES)) {
      test(`the other tab reads the current value after ${name} in the tab of the ${writes} version`, async ({
        page: older,
        openPage,
        site,
        nats,
        namespace,
      }) => {
        const newer = await visit(await openPage(), `${site.url}${NEWER_PAGE}`);
        const [writer, reader] = writes === "older" ? [older, newer] : [newer, older];
        const options = { servers: nats.wsUrl, namespace };
        await openStoreIn(reader, options);
        await reader.evaluate(() => store.bulkStore({ key: "old", other: "old" }));
        await openStoreIn(writer, name === "eviction" ? { ...options, maxEntries: 2 } : options);
        for (const tab of [reader, writer]) {
          // Only confirmed entries are cleared or evicted.
          await expect.poll(() => tab.evaluate(() => store.pendingWrites())).toEqual([]);
          await expect.poll(() => readBoth(tab), "values before the change").toEqual({ key: "old", other: "old", cached: 2 });
        }

        await make(writer);
        await expect.poll(() => reader.evaluate(() => store.getCacheStats().size), "entries in the reader's memory").toBe(0);
        await expect.poll(() => reader.evaluate(() => store.retrieve("key"))).toBe(value);
        expect(await writer.evaluate(() => store.retrieve("key"))).toBe(value);
      });
    }
  }

  test("the two tabs send messages of different protocol versions", async ({ page: older, openPage, site, nats, namespace }) => {
    const newer = await visit(await openPage(), `${site.url}${NEWER_PAGE}`);
    const versions = await older.evaluateHandle((namespace) => {
      const seen = new Set<unknown>();
      new BroadcastChannel(`nas-keystore/${namespace}`).onmessage = ({ data }: MessageEvent<{ protocol?: unknown }>) =>
        seen.add(data.protocol);
      return seen;
    }, namespace);
    for (const tab of [older, newer]) {
      await openStoreIn(tab, { servers: nats.wsUrl, namespace });
      await tab.evaluate(() => store.store("key", 1));
    }
    await expect.poll(() => versions.evaluate((seen) => seen.size)).toBe(2);
    const [first, second] = await versions.evaluate((seen) => [...seen]);
    expect(second).toBe((first as number) + 1);
  });

  test("a tab of each version publishes its writes while the other one writes the same keys", async ({
    page: older,
    openPage,
    site,
    nats,
    wire,
    namespace,
  }) => {
    const newer = await visit(await openPage(), `${site.url}${NEWER_PAGE}`);
    const tabs = { older, newer };
    // A tab does not understand the other's messages: a write that the other tab supersedes resolves `false` after `timeoutMs`.
    for (const tab of Object.values(tabs)) await openStoreIn(tab, { servers: nats.wsUrl, namespace, timeoutMs: 2_000 });
    await Promise.all(
      Object.entries(tabs).map(([name, tab]) =>
        tab.evaluate(async (name) => {
          for (let round = 0; round < 20; round++) await store.store(`k${round % 4}`, `${name} ${round}`);
        }, name),
      ),
    );
    const last = new Map<string | undefined, unknown>();
    for (const tab of Object.values(tabs)) await expect.poll(() => tab.evaluate(() => store.pendingWrites())).toEqual([]);
    for (const { envelope } of await wire.settled()) last.set(envelope?.key, JSON.parse(envelope?.value ?? "null"));
    expect(last.size).toBe(4);
    for (const tab of Object.values(tabs)) {
      await expect
        .poll(() => tab.evaluate(() => store.bulkRetrieve(["k0", "k1", "k2", "k3"]).then((found) => [...found])))
        .toEqual([...last].toSorted(([a], [b]) => String(a).localeCompare(String(b))));
    }
  });
});

/** The values of both keys and the number of entries in the tab's memory afterwards. */
function readBoth(tab: Page): Promise<{ key: unknown; other: unknown; cached: number }> {
  return tab.evaluate(async () => {
    const key = await store.retrieve("key");
    const other = await store.retrieve("other");
    return { key, other, cached: store.getCacheStats().size };
  });
}
