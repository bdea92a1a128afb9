import type { Locator, Page } from "@playwright/test";
import { storeOne as store, test, violationsIn } from "./support/demo.ts";
import { expect } from "./support/fixtures.ts";

const NOBODY = "ws://127.0.0.1:1";

const DENIES_A = `authorization { users: [
  { user: anyone, password: "", permissions: { publish: { deny: ["_kv.*.key.a"] } } }
] }
no_auth_user: anyone`;

function connection(page: Page): Locator {
  return page.locator("#connection");
}

test("the demo shows a refused write as rejected, and enables Retry and Discard only while there is one", async ({
  openDemo,
  startNats,
}) => {
  const server = await startNats({ config: DENIES_A });
  const page = await openDemo({ server: server.wsUrl });
  const [retry, discard] = [page.locator("#retry"), page.locator("#discard")];
  await store(page, "b");
  await expect(page.locator("#write-notice")).toHaveText("Published “b”.");
  await expect(retry).toBeDisabled();
  await expect(discard).toBeDisabled();
  await discard.click({ force: true });
  await expect(page.locator("#outbox-notice")).toHaveText("");

  await store(page, "a");
  await expect(page.locator("#write-notice")).toContainText("PUBLISH_REJECTED");
  const option = page.locator("#keys [role=option]").filter({ hasText: "rejected" });
  await expect(option).toHaveCount(1);
  await expect(option).not.toContainText("pending");
  const fact = (term: string): Locator => page.locator("#details-metadata div").filter({ hasText: term }).locator("dd");
  await expect(fact("Pending")).toHaveText("no");
  await expect(fact("Rejected")).toHaveText("yes: the server refused this version");
  await expect(page.locator("#outbox li")).toContainText("rejected");
  await expect(retry).toBeEnabled();

  await discard.press("Enter");
  await expect(page.locator("#outbox-notice")).toHaveText("1 write discarded. The entries stay here.");
  await expect(retry).toBeDisabled();
  await expect(discard).toBeDisabled();
  await expect(discard).toBeFocused();
});

test("axe finds no violation in the demo, with and without entries, in light and in dark colours", async ({ openDemo }) => {
  const page = await openDemo();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violationsIn(page), `without entries, ${colorScheme}`).toEqual([]);
  }
  await page.getByRole("button", { name: "Store a dozen samples" }).click();
  await expect(page.locator("#keys-notice")).toHaveText("Stored 12 entries.");
  await page.locator("#keys [role=option]").first().click();
  await expect(page.locator("#details-key")).toBeVisible();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violationsIn(page), `with entries, ${colorScheme}`).toEqual([]);
  }
});

test.describe("notices of the demo", () => {
  test("the demo reports a queued write and a queued delete until they are published", async ({
    openDemo,
    nats,
    openLink,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    const page = await openDemo({ server: link.wsUrl });
    await expect(connection(page)).toContainText("Offline");

    await store(page, "a");
    await expect(page.locator("#write-notice")).toHaveText("Queued “a”: kept here, and published as soon as the server answers.");
    await store(page, "b");
    await expect(page.locator("#write-notice")).toContainText("Queued “b”");
    await page.locator("#details-delete").click();
    await expect(page.locator("#details-notice")).toHaveText(
      "Deleted “b”; the delete is queued, and published as soon as the server answers.",
    );
    await expect(page.locator("#details-notice")).toHaveAttribute("data-kind", "waiting");
    await expect(page.locator("#write-notice")).toHaveText("");
    await store(page, "c");
    await expect(page.locator("#write-notice")).toContainText("Queued “c”");

    await link.mend();
    await page.locator("#flush").click();
    await expect(page.locator("#write-notice")).toHaveText("Published “c”.");
    await expect(page.locator("#write-notice")).toHaveAttribute("data-kind", "success");
  });

  test("the demo reports a published delete", async ({ openDemo }) => {
    const page = await openDemo();
    await store(page, "a");
    await expect(page.locator("#write-notice")).toHaveText("Published “a”.");
    await page.locator("#delete").click();
    await expect(page.locator("#write-notice")).toHaveText("Deleted “a”.");
    await page.locator("#delete").click();
    await expect(page.locator("#write-notice")).toHaveText("“a” does not exist here. The delete is published.");
  });

  test("the demo clears its notices when the namespace is destroyed", async ({ openDemo }) => {
    const page = await openDemo();
    await page.getByRole("button", { name: "Store a dozen samples" }).click();
    await expect(page.locator("#keys-notice")).toHaveText("Stored 12 entries.");
    await page.locator("#destroy").click();
    await page.locator("#confirm-yes").click();
    await expect(page.locator("#figures-notice")).toHaveText("The database was deleted. A new one is open.");
    await expect(page.locator("#keys-notice")).toHaveText("");
  });

  test("the demo clears the notices about entries when the cache is cleared", async ({ openDemo }) => {
    const page = await openDemo();
    await page.getByRole("button", { name: "Store a dozen samples" }).click();
    await expect(page.locator("#keys-notice")).toHaveText("Stored 12 entries.");
    await page.locator("#clear").click();
    await page.locator("#confirm-yes").click();
    await expect(page.locator("#figures-notice")).toHaveText("Cleared.");
    await expect(page.locator("#keys-notice")).toHaveText("");
  });

  test("the demo clears the notice about the samples when one of them is deleted", async ({ openDemo }) => {
    const page = await openDemo();
    await page.getByRole("button", { name: "Store a dozen samples" }).click();
    await expect(page.locator("#keys-notice")).toHaveText("Stored 12 entries.");
    await page.locator("#keys [role=option]").first().click();
    await page.locator("#details-delete").click();
    await expect(page.locator("#details-notice")).toContainText("Deleted");
    await expect(page.locator("#keys-notice")).toHaveText("");
  });

  test("the demo reports invalid settings until they are corrected", async ({ openDemo, namespace, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const page = await openDemo({ namespace: "not one" });
    await expect(connection(page)).toHaveText("No store is open");
    await expect(page.locator("#settings-notice")).toContainText('INVALID_OPTION: The option "namespace" must be');
    await expect(page.locator("#namespace")).toHaveAttribute("aria-invalid", "true");
    await store(page, "a");
    await expect(page.locator("#write-notice")).toHaveText("No store is open. Correct the settings above.");

    await page.locator("#namespace").fill(namespace);
    await expect(page.locator("#namespace")).not.toHaveAttribute("aria-invalid");
    await page.locator("#server").fill("http://127.0.0.1");
    await page.getByRole("button", { name: "Reopen" }).click();
    await expect(page.locator("#server")).toHaveAttribute("aria-invalid", "true");
    await page.locator("#server").fill(NOBODY);
    await page.getByRole("button", { name: "Reopen" }).click();
    await expect(page.locator("#settings-notice")).toHaveText(`Opened “${namespace}”.`);
    await expect(page.locator("#write-notice")).toHaveText("");
    await expect(connection(page)).toContainText("Offline");
  });

  test("the demo reports a failed ping", async ({ openDemo, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const page = await openDemo({ server: NOBODY });
    await expect(connection(page)).toContainText("Offline");
    await page.getByRole("button", { name: "Ping" }).click();
    await expect(page.locator("#settings-notice")).toHaveText(/^The ping failed after \d+ ms: No NATS server answers at 127\.0\.0\.1:1\.$/);
  });

  test("the demo reports every invalid field", async ({ openDemo }) => {
    const page = await openDemo();
    await page.getByRole("button", { name: "Store", exact: true }).click();
    await expect(page.locator("#write-notice")).toContainText("The key is empty. The value is empty.");
    await expect(page.locator("#write [aria-invalid]")).toHaveCount(2);
    await page.locator("#key").fill("a");
    await expect(page.locator("#write [aria-invalid]")).toHaveCount(0);
  });
});

test("the demo moves the focus to the list when the focused button disappears", async ({ openDemo }) => {
  const page = await openDemo();
  const keys = page.locator("#keys");
  await page.getByRole("button", { name: "Store a dozen samples" }).press("Enter");
  await expect(keys.getByRole("option")).toHaveCount(12);
  await expect(keys).toBeFocused();
  await keys.press("Home");
  // `press` waits for no element to be visible, and a hidden one takes no focus.
  await expect(page.locator("#details-delete")).toBeVisible();
  await page.locator("#details-delete").press("Enter");
  await expect(keys.getByRole("option")).toHaveCount(11);
  await expect(keys).toBeFocused();
});

test("the demo does not wrap the lines of a hex dump on a narrow screen", async ({ openDemo }) => {
  const page = await openDemo();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.locator("#source").selectOption("utf8");
  await page.locator("#key").fill("a");
  await page.locator("#value").fill("eight by"); // one line
  await page.getByRole("button", { name: "Store", exact: true }).click();
  const value = page.locator("#details-value");
  await expect(value).toContainText("eight by");
  const lines = await value.evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return new Set(Array.from(range.getClientRects(), ({ top }) => top)).size;
  });
  expect(lines).toBe(1);
  // In Firefox the vertical scrollbar takes some of the width.
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
});
