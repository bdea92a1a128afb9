import type { Page } from "@playwright/test";
import { expect, openStoreIn, test } from "./support/fixtures.ts";
import { outcomesOfOperations, withoutStorage } from "./support/outcomes.ts";

/** The e2e page in a sandboxed frame, whose origin is opaque: the browser gives it no storage and no locks. */
async function openSandboxedFrame(page: Page, url: string): Promise<Page> {
  // The frame's origin is "null", so its scripts are requests to another origin.
  await page.context().route("**/*", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "access-control-allow-origin": "*" } });
  });
  await page.evaluate((src) => {
    const frame = Object.assign(document.createElement("iframe"), { src });
    frame.setAttribute("sandbox", "allow-scripts");
    document.body.append(frame);
  }, url);
  await page.frameLocator("iframe").locator("body[data-ready]").waitFor({ state: "attached" });
  // The functions of the fixtures use only `evaluate`, which a frame has too.
  return page.frames()[1] as unknown as Page;
}

test("operations reject STORAGE_UNAVAILABLE in a sandboxed frame; ping and close resolve", async ({
  page,
  site,
  nats,
  namespace,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets(); // the browser lets no such frame connect to loopback
  const frame = await openSandboxedFrame(page, site.url);
  expect(await frame.evaluate(() => origin)).toBe("null");
  await openStoreIn(frame, { servers: nats.wsUrl, namespace, persist: true, maxEntries: 10, sweepIntervalMs: 1 });
  const outcomes = await outcomesOfOperations(frame, namespace);
  expect(Object.keys(outcomes).length).toBeGreaterThan(15);
  expect(outcomes).toEqual(withoutStorage(outcomes));
});
