import { expect, openDurable, test } from "./support/durable.ts";
import { envelopeOf } from "./support/envelopes.ts";
import { natsServers } from "./support/nats-servers.ts";

/** Enough for several batches, which have 4 MiB each. */
const KEYS = 12;
const TEXT = "x".repeat(900_000);

for (const tested of natsServers) {
  test(`after clearCache in the middle of a pull, the next pull brings every entry, on ${tested.title}`, async ({
    page,
    openPage,
    startStream,
    namespace,
  }) => {
    const { server, stream } = await startStream(tested);
    await stream.publishAll(Array.from({ length: KEYS }, (_, n) => envelopeOf(`k${n}`, TEXT)));
    const otherTab = await openPage();
    for (const tab of [page, otherTab]) await openDurable(tab, { servers: server.wsUrl, namespace });
    await page.exposeFunction("clearElsewhere", () => otherTab.evaluate(() => store.clearCache()));

    for (const where of ["the same tab", "another tab"]) {
      const { steps, keys } = await page.evaluate(async (isHere) => {
        const { clearElsewhere } = globalThis as unknown as { clearElsewhere: () => Promise<void> };
        let steps = 0;
        let cleared: Promise<void> | undefined;
        await store.pull({
          full: true,
          onProgress: () => {
            steps++;
            cleared ??= isHere ? store.clearCache() : clearElsewhere();
          },
        });
        await cleared;
        await store.pull();
        return { steps, keys: await store.listKeys() };
      }, where === "the same tab");
      expect(steps, where).toBeGreaterThan(1);
      expect(keys.length, where).toBe(KEYS);
    }
  });
}
