import type { Page } from "@playwright/test";

declare global {
  /** In the page: the entries that a view shows. */
  var view: Map<string, unknown>;
  /** In the page: the changes that the view has received, "source type key version". */
  var changes: string[];
}

/** Makes a view of all entries of the page's store. It reads them once, then whatever `watch` tells it to. */
export async function showIn(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const view = (globalThis.view = new Map<string, unknown>());
    const changes: string[] = (globalThis.changes = []);
    const readAll = async (): Promise<void> => {
      const found = await store.bulkRetrieve(await store.listKeys());
      view.clear();
      for (const [key, value] of found) view.set(key, value);
    };
    const read = async (key: string): Promise<void> => {
      const value = await store.retrieve(key);
      if (value === undefined) view.delete(key);
      else view.set(key, value);
    };
    let reading = Promise.resolve();
    store.watch("*", ({ source, type, key, version }) => {
      changes.push([source, type, key, version].join(" ").trim());
      reading = reading.then(() => (type === "clear" ? readAll() : read(key)));
    });
    await readAll();
  });
}

export function shown(page: Page): Promise<Record<string, unknown>> {
  return page.evaluate(() => Object.fromEntries(globalThis.view));
}

export function told(page: Page): Promise<string[]> {
  return page.evaluate(() => globalThis.changes);
}
