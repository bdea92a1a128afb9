import type { Page } from "@playwright/test";
import type { KeyStoreOptions } from "nas-keystore";
import { expect, openStoreIn, reload, test } from "./support/fixtures.ts";

/** Opens a store of the app's present version: users have a first and a last name. Users of the version before it had a name. */
function openPresent(page: Page, options: KeyStoreOptions): Promise<void> {
  return page.evaluate((options) => {
    const isText = (value: unknown): boolean => typeof value === "string";
    const validate = async (value: unknown) => {
      const { first, last } = Object(value) as { first?: unknown; last?: unknown };
      return isText(first) && isText(last) ? { value: { first, last } } : { issues: [{ message: "no first or last name" }] };
    };
    aids.openStore({
      ...options,
      schemas: { "user:*": { "~standard": { version: 1, vendor: "e2e", validate } } },
      migrate: (value) => {
        const [first, last] = (value as { name: string }).name.split(" ");
        return { first, last };
      },
    });
  }, options);
}

const OLD = { name: "Ada Lovelace" };
const NEW = { first: "Ada", last: "Lovelace" };
const users = Array.from({ length: 100 }, (_, index) => `user:${index}`);

test.describe("a new version of an app", () => {
  test("reads the values of the version before it in two tabs, which write each back once", async ({
    page,
    openPage,
    nats,
    namespace,
    wire,
  }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openStoreIn(page, options);
    await page.evaluate(([keys, value]) => store.bulkStore(Object.fromEntries(keys.map((key) => [key, value]))), [users, OLD] as const);
    await reload(page);
    const tabs = [page, await openPage()];
    for (const tab of tabs) await openPresent(tab, options);

    const read = (tab: Page) => tab.evaluate(async (keys) => [...(await store.bulkRetrieve(keys)).values()], users);
    const expected = users.map(() => NEW);
    expect(await Promise.all(tabs.map(read))).toEqual([expected, expected]);
    await Promise.all(tabs.map((tab) => tab.evaluate(() => store.close())));
    for (const tab of tabs) {
      await openStoreIn(tab, options);
      expect(await read(tab)).toEqual(expected);
    }
    const messages = (await wire.settled()).filter(({ subject }) => subject.includes(`.${namespace}.`));
    const versions = users.map((user) =>
      messages.filter(({ envelope }) => envelope?.key === user).map(({ envelope }) => envelope?.metadata?.version),
    );
    expect(versions).toEqual(users.map(() => [1, 2]));
  });

  test("migrates while the server is down, and publishes after a reload, when the server is back", async ({
    page,
    namespace,
    startNats,
    openWire,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startNats();
    const options = { servers: server.wsUrl, namespace };
    await openStoreIn(page, options);
    await page.evaluate((value) => store.store("user:1", value, { tags: ["people"] }), OLD);
    await server.stop();
    await reload(page);
    await openPresent(page, options);
    expect(await page.evaluate(() => store.retrieve("user:1"))).toEqual(NEW);
    await page.evaluate(() => store.close());

    await reload(page);
    await server.restart();
    const wire = await openWire(server);
    await openStoreIn(page, options);
    expect(await page.evaluate(() => store.retrieve("user:1"))).toEqual(NEW);
    await page.evaluate(() => store.flush());
    const [message] = await wire.waitFor(1);
    expect(message?.envelope).toMatchObject({ key: "user:1", value: JSON.stringify(NEW), metadata: { version: 2, tags: ["people"] } });
  });

  test("refuses a value that another tab stored in a form that cannot be migrated, and reads it once that tab corrects it", async ({
    page,
    openPage,
    nats,
    namespace,
  }) => {
    const options = { servers: nats.wsUrl, namespace };
    await openPresent(page, options);
    const second = await openPage();
    await openStoreIn(second, options);
    await page.evaluate((value) => store.store("user:1", value), NEW);
    await second.evaluate(() => store.store("user:1", { name: 5 }));
    const read = () =>
      page.evaluate(() => store.retrieve("user:1").catch(({ code, key }: { code: string; key: string }) => ({ code, key })));
    await expect.poll(read).toEqual({ code: "SCHEMA_MISMATCH", key: "user:1" });
    expect(await page.evaluate((value) => store.store("user:1", value).catch(({ code }: { code: string }) => code), OLD)).toBe(
      "SCHEMA_MISMATCH",
    );
    await second.evaluate((value) => store.store("user:1", value), OLD);
    await expect.poll(read).toEqual(NEW);
  });
});
