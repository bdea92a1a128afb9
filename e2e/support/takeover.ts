import type { Page } from "@playwright/test";
import { expect, test } from "./faults.ts";
import type { Link } from "./link.ts";
import type { NatsServer } from "./nats-server.ts";
import type { Wire } from "./wire.ts";

/** A live tab, and a tab that ends while its writes are running. */
interface Tabs {
  readonly living: Page;
  readonly ending: Page;
  readonly nats: NatsServer;
  /** Between the ending tab and the server. */
  readonly link: Link;
  readonly wire: Wire;
  readonly namespace: string;
  /** Whether the ending tab has a connection before its writes begin. */
  readonly connected: boolean;
}

/** Makes a test of each way in which a tab can end while its writes are running, before and after it has connected. */
export function takeoverTests(ends: Readonly<Record<string, (tab: Page) => Promise<void>>>): void {
  for (const [what, end] of Object.entries(ends)) {
    for (const connected of [true, false]) {
      test(`a live tab publishes the running writes of a tab that ${what} (${connected ? "connected" : "connecting"})`, async ({
        page: living,
        openPage,
        nats,
        wire,
        namespace,
        openLink,
        consoleGuard,
      }) => {
        consoleGuard.allowFailedSockets();
        await expectTakeover({ living, ending: await openPage(), nats, link: await openLink(nats), wire, namespace, connected }, end);
      });
    }
  }
}

/** Ends a tab in the middle of its writes, and checks that the other tab publishes them. */
async function expectTakeover(
  { living, ending, nats, link, wire, namespace, connected }: Tabs,
  end: (tab: Page) => Promise<void>,
): Promise<void> {
  await openStores(living, nats.wsUrl, ending, link.wsUrl, namespace);
  await beginWrites({ living, ending, link, connected });
  expect(
    wire.messages.filter(({ envelope }) => envelope?.key.startsWith("under-way")),
    "no write has been published yet",
  ).toEqual([]);

  await end(ending);
  await expect.poll(() => publishedOf(wire), "published by the live tab").toEqual(UNDER_WAY);
  await expect.poll(() => living.evaluate(async () => (await store.pendingWrites()).length)).toBe(0);
  expect(await living.evaluate(() => store.bulkRetrieve(["under-way-0", "under-way-9"]).then((found) => [...found.values()]))).toEqual([
    0, 9,
  ]);
}

/** The last operation on each key that `beginWrites` leaves running. */
export const UNDER_WAY = Object.fromEntries([
  ["under-way-deleted", "delete"],
  ...Array.from({ length: 10 }, (_, index) => [`under-way-${index}`, "store"]),
]) as Record<string, string>;

export async function openStores(living: Page, livingServer: string, ending: Page, endingServer: string, namespace: string): Promise<void> {
  for (const [page, servers] of [
    [living, livingServer],
    [ending, endingServer],
  ] as const) {
    await page.evaluate(
      // Writes keep running during the whole test.
      ([servers, namespace]) =>
        void (globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS, lingerMs: aids.LONG_MS })),
      [servers, namespace] as const,
    );
  }
  expect(await living.evaluate(() => store.store("living", 1))).toBe(true);
}

/** Starts writes of a tab. Resolves when they are committed, to a function that resolves to their results. */
export async function beginWrites({
  living,
  ending,
  link,
  connected,
}: {
  living: Page;
  ending: Page;
  link: Link;
  connected: boolean;
}): Promise<() => Promise<boolean[]>> {
  if (connected) expect(await ending.evaluate(() => store.ping())).toBe(true);
  link.hang();
  await ending.evaluate(() => {
    const keys = Array.from({ length: 10 }, (_, index) => [`under-way-${index}`, index] as const);
    globalThis.underWay = Promise.all([
      store.delete("under-way-deleted").then(() => true),
      ...keys.slice(0, 5).map(([key, value]) => store.store(key, value)),
      store.bulkStore(keys.slice(5)).then((results) => [...results.values()]),
    ]).then((results) => results.flat());
  });
  await expect
    .poll(() => living.evaluate(async () => (await store.pendingWrites()).length), "writes that the ending tab has committed")
    .toBe(Object.keys(UNDER_WAY).length);
  return () => ending.evaluate(() => underWay);
}

/** The last operation on the wire of each key of `beginWrites`. */
export function publishedOf(wire: Wire): Record<string, string> {
  return Object.fromEntries(
    wire.messages.flatMap(({ envelope }) => (envelope?.key.startsWith("under-way") ? [[envelope.key, envelope.operation]] : [])),
  ) as Record<string, string>;
}
