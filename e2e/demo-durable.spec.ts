import type { Locator, Page } from "@playwright/test";
import { storeOne, test, violationsIn } from "./support/demo.ts";
import { expect } from "./support/fixtures.ts";

const DURABLE = { durable: "" } as const;

function options(page: Page, text?: string): Locator {
  return page.locator("#keys [role=option]").filter(text === undefined ? {} : { hasText: text });
}

function fact(page: Page, term: string): Locator {
  return page.locator("#details-metadata div").filter({ hasText: term }).locator("dd");
}

function notice(page: Page, panel: "settings" | "write" | "keys" | "outbox" | "details"): Locator {
  return page.locator(`#${panel}-notice`);
}

/** Presses Pull with the keyboard, and expects a result: that of this pull, or of one at the interval that came before it. */
async function pull(page: Page, revision: number, result: string): Promise<void> {
  // In Firefox, keys go to the window in front.
  await page.bringToFront();
  await page.getByRole("button", { name: "Pull" }).press("Enter");
  const texts = [`Pulled up to revision ${revision}: ${result}.`, `Nothing is newer in the stream, up to revision ${revision}.`];
  await expect.poll(async () => texts.includes((await notice(page, "keys").textContent()) ?? ""), { timeout: 60_000 }).toBe(true);
}

test("two browsers with the demo in durable mode show each other's writes", async ({ openDemo, otherBrowser, startNats, namespace }) => {
  const { wsUrl: server } = await startNats({ jetstream: true });
  const one = await openDemo({ server });
  const pullOfOne = one.getByRole("button", { name: "Pull" });
  await expect(one.locator("#connection")).toHaveText("Online");
  await expect(pullOfOne).toBeDisabled();
  await one.getByLabel("Durable mode").press("Space");
  await one.getByRole("button", { name: "Reopen" }).click();
  await expect(notice(one, "settings")).toHaveText(`Opened “${namespace}”. Created the stream “NAS_${namespace}”.`);
  await expect(one.locator("#keys-empty-text")).toHaveText(
    "No keys yet. Store one with the form, import a file, or pull those of other browsers.",
  );
  const other = await openDemo({ server, ...DURABLE }, otherBrowser);
  await expect(notice(other, "settings")).toHaveText(`The stream is “NAS_${namespace}”.`);

  await storeOne(one, "a");
  await expect(notice(one, "write")).toHaveText("Published “a”.");
  await expect(fact(one, "Revision")).toHaveText("1");
  await pull(other, 1, "1 entry written, 0 deleted; 0 messages skipped, 0 rejected");
  await options(other, "a").click();
  await expect(other.locator("#details-value")).toHaveText("1");
  await expect(fact(other, "Revision")).toHaveText("1");

  await other.locator("#details-delete").click();
  await expect(notice(other, "details")).toHaveText("Deleted “a”.");
  await pull(one, 2, "0 entries written, 1 deleted; 0 messages skipped, 0 rejected");
  await expect(options(one)).toHaveCount(0);
  await expect(one.locator("#details-empty")).toContainText("“a” does not exist here.");

  await storeOne(one, "b");
  await expect(notice(one, "write")).toHaveText("Published “b”.");
  await other.bringToFront();
  await expect(options(other, "b"), "without a press of Pull").toHaveCount(1);

  await one.bringToFront();
  await one.reload();
  await expect(one.getByLabel("Durable mode")).toBeChecked();
  await expect(notice(one, "settings")).toHaveText(`The stream is “NAS_${namespace}”.`);
});

test("the demo logs a conflict: a write that another browser has replaced without seeing it", async ({
  openDemo,
  otherBrowser,
  startNats,
  openLink,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const nats = await startNats({ jetstream: true });
  const link = await openLink(nats);
  const one = await openDemo({ server: nats.wsUrl, ...DURABLE });
  await expect(notice(one, "settings")).toContainText("Created the stream");
  const other = await openDemo({ server: link.wsUrl, ...DURABLE }, otherBrowser);
  await expect(notice(other, "settings")).toContainText("The stream is");

  await link.cut();
  await storeOne(other, "a");
  await expect(notice(other, "write")).toContainText("Queued “a”");
  await storeOne(one, "a");
  await expect(notice(one, "write")).toHaveText("Published “a”.");
  await link.mend();
  await other.locator("#flush").click();
  await expect(notice(other, "write")).toHaveText("Published “a”.");

  await pull(one, 2, "1 entry written, 0 deleted; 0 messages skipped, 0 rejected");
  await expect(one.locator("#log [data-type=conflict]")).toContainText("a: another browser's write replaced version 1");
});

test("the demo says what to do where the server has no JetStream, and queues its writes", async ({ openDemo }) => {
  const page = await openDemo(DURABLE);
  await expect(notice(page, "settings")).toContainText("STREAM_UNAVAILABLE: JetStream does not answer");
  await storeOne(page, "a");
  await expect(notice(page, "write")).toContainText("Queued “a”");
  await expect(fact(page, "Revision")).toHaveText("–");
  await page.locator("#details-delete").click();
  await expect(notice(page, "details")).toHaveText("Deleted “a”; the delete is queued, and published as soon as the server answers.");
  await page.getByRole("button", { name: "Pull" }).click();
  await expect(notice(page, "keys")).toContainText("STREAM_UNAVAILABLE");
});

test("axe finds no violation in durable mode, and nothing overflows a narrow screen", async ({ openDemo, startNats }) => {
  const { wsUrl: server } = await startNats({ jetstream: true });
  const page = await openDemo({ server, ...DURABLE });
  await expect(notice(page, "settings")).toContainText("Created the stream");
  for (const entries of [0, 1]) {
    if (entries > 0) await storeOne(page, "a");
    await expect(options(page)).toHaveCount(entries);
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 740 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await violationsIn(page), `${entries} entries, ${width} px, ${colorScheme}`).toEqual([]);
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    }
  }
});
