import type { Page } from "@playwright/test";
import { NEWER_PAGE } from "./support/build-page.ts";
import { expect, openStoreIn, reload, test, visit } from "./support/fixtures.ts";
import { shown, showIn, told } from "./support/view.ts";

/** What a writer does, and what a view shows then of the keys "a" and "b". */
const CHANGES: readonly (readonly [name: string, change: (writer: Page) => Promise<unknown>, shows: object])[] = [
  ["store", (writer) => writer.evaluate(() => store.store("a", "new")), { a: "new", b: "old" }],
  ["update", (writer) => writer.evaluate(() => store.update("a", "updated")), { a: "updated", b: "old" }],
  ["bulkStore", (writer) => writer.evaluate(() => store.bulkStore({ b: "bulk", c: 1 })), { a: "updated", b: "bulk", c: 1 }],
  ["delete", (writer) => writer.evaluate(() => store.delete("c")), { a: "updated", b: "bulk" }],
  ["clearCache", (writer) => writer.evaluate(() => store.clearCache()), {}],
];

/** Resolves when every write of a tab is confirmed: only such entries are cleared or evicted. */
const settled = (page: Page): Promise<void> => expect.poll(() => page.evaluate(() => store.pendingWrites())).toEqual([]);

test.describe("a view that is fed by watch", () => {
  for (const writes of ["same", "older", "newer"] as const) {
    test(`shows each change of a tab of the ${writes} version`, async ({ page, openPage, site, nats, namespace }) => {
      const newer = writes === "same" ? await openPage() : await visit(await openPage(), `${site.url}${NEWER_PAGE}`);
      const [writer, viewer] = writes === "newer" ? [newer, page] : [page, newer];
      for (const tab of [viewer, writer]) await openStoreIn(tab, { servers: nats.wsUrl, namespace });
      await writer.evaluate(() => store.bulkStore({ a: "old", b: "old" }));
      await showIn(viewer);
      await expect.poll(() => shown(viewer)).toEqual({ a: "old", b: "old" });
      for (const [name, change, shows] of CHANGES) {
        await settled(writer);
        await change(writer);
        await expect.poll(() => shown(viewer), name).toEqual(shows);
      }
    });
  }

  test("shows the writes of a tab that loses its server, reloads, and finds the server again", async ({
    page: viewer,
    openPage,
    startNats,
    namespace,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats();
    const writer = await openPage();
    for (const tab of [viewer, writer]) await openStoreIn(tab, { servers: server.wsUrl, namespace });
    await showIn(viewer);
    await writer.evaluate(() => store.store("a", 1));
    await expect.poll(() => shown(viewer)).toEqual({ a: 1 });
    await server.stop();
    expect(await writer.evaluate(() => store.store("a", 2))).toBe(false);
    await expect.poll(() => shown(viewer)).toEqual({ a: 2 });
    await reload(writer);
    await openStoreIn(writer, { servers: server.wsUrl, namespace });
    expect(await writer.evaluate(() => store.store("a", 3))).toBe(false);
    await expect.poll(() => shown(viewer)).toEqual({ a: 3 });
    await server.restart();
    await expect.poll(() => writer.evaluate(async () => (await store.flush()).pending)).toBe(0);
    expect(await told(viewer)).toContain("tab store a 3");
    expect(await shown(viewer)).toEqual({ a: 3 });
  });

  test("shows that entries have expired or were evicted, in whichever tab", async ({ page: viewer, openPage, nats, namespace }) => {
    const writer = await openPage();
    await openStoreIn(viewer, { servers: nats.wsUrl, namespace, sweepIntervalMs: 0 });
    await openStoreIn(writer, { servers: nats.wsUrl, namespace, maxEntries: 2, sweepIntervalMs: 0 });
    await showIn(viewer);
    await writer.evaluate(() => store.bulkStore({ theirs: 1, swept: 1 }, { ttl: 0.5 }));
    await expect.poll(() => shown(viewer)).toEqual({ theirs: 1, swept: 1 });
    await expect.poll(() => writer.evaluate(() => store.retrieve("theirs"))).toBeUndefined();
    await expect.poll(() => shown(viewer)).not.toHaveProperty("theirs");
    await writer.evaluate(() => store.sweep());
    await expect.poll(() => shown(viewer)).toEqual({});
    expect(await told(viewer)).toEqual(expect.arrayContaining(["tab expire theirs", "tab expire swept"]));
    for (const key of ["a", "b", "c"]) {
      await writer.evaluate((key) => store.store(key, 1), key);
      await settled(writer);
    }
    await expect.poll(() => shown(viewer)).toEqual({ b: 1, c: 1 });
    expect(await told(viewer)).toContain("tab evict a");
  });

  test("shows what a tab writes while the view's own page reloads", async ({ page: viewer, openPage, nats, namespace }) => {
    const writer = await openPage();
    await openStoreIn(writer, { servers: nats.wsUrl, namespace, lingerMs: 1_000 });
    await writer.evaluate(() => {
      globalThis.written = 0;
      const next = async (): Promise<void> => {
        if (Number.isNaN(globalThis.written)) return;
        await store.store("n", ++globalThis.written);
        setTimeout(() => void next(), 1);
      };
      void next();
    });
    for (let round = 0; round < 4; round++) {
      await reload(viewer);
      // The first calls of a page: the write side has not loaded yet.
      await openStoreIn(viewer, { servers: nats.wsUrl, namespace });
      await showIn(viewer);
      const least = await writer.evaluate(() => globalThis.written);
      await expect.poll(async () => Number((await shown(viewer))["n"])).toBeGreaterThan(least);
    }
    const last = await writer.evaluate(async () => {
      const reached = globalThis.written;
      globalThis.written = Number.NaN;
      await store.retrieve("n");
      return reached;
    });
    await expect.poll(async () => (await shown(viewer))["n"]).toBe(last);
  });

  test("shows what is there after the site's data is cleared under the page", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.store("a", 1));
    await showIn(page);
    await page.evaluate(async () => {
      for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name!);
    });
    await expect.poll(() => shown(page)).toEqual({});
    await page.evaluate(() => store.store("b", 1));
    expect(await told(page)).toContain("local store b 1");
    await expect.poll(() => shown(page)).toEqual({ b: 1 });
  });
});

test("the error of a listener is an uncaught error of the page, and the write succeeds", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    const errors: unknown[] = [];
    addEventListener("error", (event) => {
      event.preventDefault();
      errors.push((event.error as Error).message);
    });
    store.watch("k", () => {
      throw new Error("of the app");
    });
    return [await store.store("k", 1), errors];
  });
  expect(seen).toEqual([true, ["of the app"]]);
});

test("100,000 watches of one long-lived signal begin and end, and nothing is left", async ({ page, openStore }) => {
  await openStore();
  const calls = await page.evaluate(async () => {
    await store.flush();
    const { signal } = new AbortController();
    let calls = 0;
    for (let n = 0; n < 100_000; n++) store.watch(n % 2 === 0 ? "k" : "k*", () => calls++, { signal })();
    await store.store("k", 1);
    return calls;
  });
  expect(calls).toBe(0);
});

declare global {
  /** In the page: the last value that it writes; NaN ends the writes. */
  var written: number;
}
