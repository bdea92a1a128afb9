import { expect, test as base } from "./support/fixtures.ts";

/** A Firefox whose user blocks cookies and site data. */
const test = base.extend({
  launchOptions: [
    async ({ launchOptions }, use) => use({ ...launchOptions, firefoxUserPrefs: { "network.cookie.cookieBehavior": 2 } }),
    { scope: "worker" },
  ],
});

test("operations reject STORAGE_UNAVAILABLE when the user forbids storage", async ({ page, nats, namespace }) => {
  const refusals = await page.evaluate(
    async ([servers, namespace]) => {
      const store = new keystore.NASKeyStore({ servers, namespace, persist: true });
      const calls: Record<string, () => Promise<unknown>> = {
        store: () => store.store("k", 1),
        retrieve: () => store.retrieve("k"),
        delete: () => store.delete("k"),
        bulkStore: () => store.bulkStore({ k: 1 }),
        listKeys: () => store.listKeys(),
        flush: () => store.flush(),
        clearCache: () => store.clearCache(),
        destroyNamespace: () => keystore.destroyNamespace(namespace),
      };
      const codes: Record<string, string | undefined> = {};
      for (const [name, call] of Object.entries(calls)) codes[name] = (await aids.refusalOf(call))?.code;
      await store.close();
      return codes;
    },
    [nats.wsUrl, namespace] as const,
  );
  expect(new Set(Object.values(refusals)), JSON.stringify(refusals)).toEqual(new Set(["STORAGE_UNAVAILABLE"]));
});
