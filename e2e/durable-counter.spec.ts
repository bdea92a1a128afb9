import type { Page } from "@playwright/test";
import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { natsServers } from "./support/nats-servers.ts";

const INCREMENTS = 1_000;

/** Makes increments in a browser, each with `ifRevision`. Resolves to the number of races that it has lost. */
function increment(page: Page, increments: number): Promise<number> {
  return page.evaluate(async (increments) => {
    let lost = 0;
    for (let done = 0; done < increments;) {
      const ifRevision = (await store.getMetadata("count"))?.revision ?? 0;
      try {
        await store.update<number>("count", (present = 0) => present + 1, { ifRevision });
        done++;
      } catch (error) {
        if ((error as { code?: string }).code !== "VERSION_CONFLICT") throw error;
        lost++;
        await store.retrieve("count", { pull: "always" });
      }
    }
    return lost;
  }, increments);
}

for (const { title, program } of natsServers) {
  test(`Two browsers that make 1,000 increments each with ifRevision count to 2,000 (${title})`, async ({
    page,
    openElsewhere,
    startNats,
    namespace,
  }) => {
    const server = await startNats({ jetstream: true, program });
    const pages = [page, await openElsewhere()];
    for (const each of pages) await openStoreIn(each, { servers: server.wsUrl, namespace, durable: true, lingerMs: 60_000 });
    await page.evaluate(() => store.ensureStream());
    const lost = await Promise.all(pages.map((each) => increment(each, INCREMENTS)));
    // Otherwise the browsers have not met.
    expect(lost.reduce((sum, races) => sum + races)).toBeGreaterThan(0);
    for (const each of pages) {
      const seen = await each.evaluate(async () => {
        const value = await store.retrieve("count", { pull: "always" });
        const revision = (await store.getMetadata("count"))?.revision;
        return { value, revision, pending: await store.pendingWrites() };
      });
      expect(seen).toEqual({ value: pages.length * INCREMENTS, revision: pages.length * INCREMENTS, pending: [] });
    }
  });
}
