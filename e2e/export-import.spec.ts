import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import type { NASKeyStore } from "nas-keystore";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

/** The functions of the documentation. They are globals of a page once `addRecipe` has run. */
declare function exportToBlob(store: NASKeyStore, pattern?: string): Promise<Blob>;
declare function importFromFile(store: NASKeyStore, file: Blob): Promise<{ imported: number; skipped: number }>;

const [, recipe = ""] = /```js\n([^]*?)```/.exec(readFileSync(new URL("../docs/EXPORT.md", import.meta.url), "utf8")) ?? [];

async function addRecipe(page: Page): Promise<void> {
  await page.addScriptTag({ content: recipe });
}

/** The lines of the file that the page exports. */
function fileOf(page: Page): Promise<string> {
  return page.evaluate(async () => (await exportToBlob(store)).text());
}

/** Stores entries of every kind. */
async function fill(page: Page, count: number): Promise<void> {
  await page.evaluate(async (count) => {
    await store.bulkStore(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, { n, text: "ä\n".repeat(n % 50) }])));
    await store.store("binary", new Uint8Array(2_000).fill(7), { format: "binary", tags: ["t"] });
    await store.store("structured", new Map([["a", 1n]]), { format: "structured", ttl: 86_400 });
    await store.store("text\u2028", "line\r\nline", { format: "text" });
    await store.flush();
  }, count);
}

test.describe("export and import", () => {
  test("a file carries the entries to another browser, which publishes none of them, and keeps them across a reload", async ({
    page,
    openStore,
    openElsewhere,
    startNats,
    openWire,
    namespace,
  }) => {
    await openStore({ compression: { thresholdBytes: 50 } });
    await addRecipe(page);
    await fill(page, 2_500);
    const file = await fileOf(page);
    expect(file.trimEnd().split("\n")).toHaveLength(2_503);

    const server = await startNats();
    const before = await openWire(server);
    const other = await openElsewhere();
    const options = { servers: server.wsUrl, namespace };
    await openStoreIn(other, options);
    await addRecipe(other);
    const damaged = file.replace('\\"n\\":7,', '\\"n\\":8,').replace("\n", "\nno envelope\n");
    const importIt = (text: string) => other.evaluate((text) => importFromFile(store, new Blob([text])), text);
    expect(await importIt(damaged)).toEqual({ imported: 2_502, skipped: 2 });
    expect(await importIt(file)).toEqual({ imported: 1, skipped: 2_502 });

    expect(await before.settled()).toEqual([]);
    await server.restart();
    const wire = await openWire(server);
    await reload(other);
    await openStoreIn(other, options);
    await addRecipe(other);
    const withoutOrigin = (text: string): string => text.replaceAll(/"origin":"[^"]*"/g, "");
    expect(withoutOrigin(await fileOf(other))).toBe(withoutOrigin(file));
    expect(await other.evaluate(async () => [...(await store.retrieve<Map<string, bigint>>("structured"))!])).toEqual([["a", 1n]]);
    expect(await other.evaluate(() => store.pendingWrites())).toEqual([]);
    expect(await other.evaluate(() => store.store("k5", "new"))).toBe(true);
    const messages = await wire.waitFor(1);
    expect(messages.map(({ envelope }) => [envelope?.key, envelope?.metadata?.version])).toEqual([["k5", 2]]);
  });

  test("another tab reads an imported entry in place of what it has in memory", async ({ page, openPage, openStore, nats, namespace }) => {
    await openStore();
    const second = await openPage();
    await openStoreIn(second, { servers: nats.wsUrl, namespace });
    await page.evaluate(() => store.store("k", "old"));
    const read = () => second.evaluate(() => store.retrieve("k"));
    expect(await read()).toBe("old");
    const envelope = await page.evaluate(async () => {
      for await (const exported of store.export()) return exported as { value: string; metadata: object };
      throw new Error("nothing was exported");
    });
    const newer = { ...envelope, value: '"new"', metadata: { ...envelope.metadata, checksum: undefined, size: undefined, version: 5 } };
    expect(await page.evaluate((newer) => store.import([newer]), newer)).toEqual({ imported: 1, skipped: 0 });
    await expect.poll(read).toBe("new");
    // Its own write continues from the imported version.
    expect(await second.evaluate(() => store.store("k", "own", { ifVersion: 5 }))).toBe(true);
  });

  test("a tab is killed during an import, and another import in the next tab completes it", async ({
    page,
    openPage,
    openStore,
    nats,
    namespace,
    wire,
  }) => {
    const source = await openPage();
    await openStoreIn(source, { servers: nats.wsUrl, namespace: `${namespace}-source` });
    await addRecipe(source);
    await fill(source, 6_000);
    const file = await fileOf(source);

    await openStore();
    await addRecipe(page);
    await page.evaluate((file) => {
      void importFromFile(store, new Blob([file]));
    }, file);
    const next = await openPage();
    await openStoreIn(next, { servers: nats.wsUrl, namespace });
    await addRecipe(next);
    await expect.poll(() => next.evaluate(async () => (await store.listKeys()).length)).toBeGreaterThan(0);
    await page.close();
    const result = await next.evaluate((file) => importFromFile(store, new Blob([file])), file);
    expect(result.imported + result.skipped).toBe(6_003);
    const withoutOrigin = (text: string): string => text.replaceAll(/"origin":"[^"]*"/g, "");
    expect(withoutOrigin(await fileOf(next))).toBe(withoutOrigin(file));
    const subjects = (await wire.settled()).map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject.startsWith(`_kv.${namespace}.`))).toEqual([]);
  });

  test("100,000 entries stream in and out: few envelopes are in memory at a time", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      let read = 0;
      let done = 0;
      let lead = 0;
      function* envelopes(): Generator<object, void, undefined> {
        for (; read < 100_000; read++) {
          lead = Math.max(lead, read - done);
          const metadata = { format: "json", version: 1, updated_at: "2026-01-02T03:04:05.678Z" };
          yield { operation: "store", key: `k${read}`, value: String(read), metadata };
        }
      }
      const result = await store.import(envelopes(), { onProgress: (count) => (done = count) });
      let exported = 0;
      let last = "";
      let isSorted = true;
      for await (const envelope of store.export()) {
        const { key } = envelope as { key: string };
        isSorted &&= key > last;
        last = key;
        exported++;
      }
      return { result, lead, exported, isSorted };
    });
    expect(seen).toEqual({ result: { imported: 100_000, skipped: 0 }, lead: seen.lead, exported: 100_000, isSorted: true });
    expect(seen.lead).toBeLessThanOrEqual(512);
  });
});
