import { expect, openStoreIn, test as base } from "./support/fixtures.ts";
import { outcomesOfOperations, withoutStorage } from "./support/outcomes.ts";

/** A Firefox whose user blocks cookies and site data. */
const test = base.extend({
  launchOptions: [
    async ({ launchOptions }, use) => use({ ...launchOptions, firefoxUserPrefs: { "network.cookie.cookieBehavior": 2 } }),
    { scope: "worker" },
  ],
});

test("operations reject STORAGE_UNAVAILABLE when the user forbids storage; ping and close resolve", async ({ page, nats, namespace }) => {
  await openStoreIn(page, { servers: nats.wsUrl, namespace, persist: true });
  const outcomes = await outcomesOfOperations(page, namespace);
  expect(Object.keys(outcomes).length).toBeGreaterThan(15);
  expect(outcomes).toEqual(withoutStorage(outcomes));
});
