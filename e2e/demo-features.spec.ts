import type { Locator, Page } from "@playwright/test";
import { storeOne, test, violationsIn } from "./support/demo.ts";
import { expect } from "./support/fixtures.ts";

function options(page: Page, text?: string): Locator {
  return page.locator("#keys [role=option]").filter(text === undefined ? {} : { hasText: text });
}

function badges(page: Page, kind: "pending" | "stale" | "encrypted"): Locator {
  return page.locator(`#keys .badge.${kind}`);
}

function fact(page: Page, term: string): Locator {
  return page.locator("#details-metadata div").filter({ hasText: term }).locator("dd");
}

/** The first tab is in front: in a tab in the background, a click waits for frames, which Chromium draws once a second. */
async function openTabs(openDemo: () => Promise<Page>): Promise<{ first: Page; second: Page }> {
  const [first, second] = [await openDemo(), await openDemo()];
  await first.bringToFront();
  return { first, second };
}

async function storeSamples(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Store a dozen samples" }).click();
  await expect(page.locator("#keys-notice")).toHaveText("Stored 12 entries.");
}

async function reopen(page: Page, passphrase: string): Promise<void> {
  // While the page opens its first store, the button does nothing.
  await expect(page.locator("#settings")).not.toHaveAttribute("aria-busy");
  await page.getByLabel("Passphrase").fill(passphrase);
  await page.getByRole("button", { name: "Reopen" }).click();
  await expect(page.locator("#settings-notice")).toContainText("Opened");
}

async function clearCache(page: Page): Promise<void> {
  await page.locator("#clear").click();
  await page.locator("#confirm-yes").click();
  await expect(page.locator("#figures-notice")).toHaveText("Cleared.");
}

async function importFile(page: Page, name: string, content: string | Buffer): Promise<void> {
  await page.locator("#import-file").setInputFiles({ name, mimeType: "application/x-ndjson", buffer: Buffer.from(content) });
}

/** Presses Export. Returns the name of the file and its lines. Reads the link, because Playwright reports no download of Mozilla's Firefox. */
async function exportFile(page: Page): Promise<{ name: string; lines: string[] }> {
  const { name, text } = await page.evaluate(
    () =>
      new Promise<{ name: string; text: string }>((resolve) => {
        HTMLAnchorElement.prototype.click = function () {
          void fetch(this.href).then(async (response) => resolve({ name: this.download, text: await response.text() }));
        };
        document.getElementById("export")!.click();
      }),
  );
  return { name, lines: text.trimEnd().split("\n") };
}

test.describe("a second tab of the demo", () => {
  test("shows what the first one stores, invalidates, deletes and clears, without a reload", async ({ openDemo }) => {
    const { first, second } = await openTabs(openDemo);
    await expect(second.locator("#keys-empty-text")).toContainText("No keys yet.");
    await storeSamples(first);
    await expect(options(second)).toHaveCount(12);

    await options(second, "user:ada").click();
    await expect(fact(second, "Stale")).toHaveText("no");
    await first.locator("#invalidate").click();
    await expect(badges(second, "stale")).toHaveCount(12);
    await expect(fact(second, "Stale")).toContainText("yes");
    await storeOne(first, "user:ada");
    await expect(second.locator("#details-value")).toHaveText("1");
    await expect(badges(second, "stale")).toHaveCount(11);

    await options(first, "user:ada").click();
    await first.locator("#details-delete").click();
    await expect(options(second)).toHaveCount(11);
    await expect(second.locator("#details-empty")).toContainText("“user:ada” does not exist here.");
    await clearCache(first);
    await expect(options(second)).toHaveCount(0);
  });

  test("shows that the first one has published a pending write", async ({ openDemo, nats, openLink, consoleGuard }) => {
    consoleGuard.allowFailedSockets();
    const link = await openLink(nats);
    await link.cut();
    const { first, second } = await openTabs(() => openDemo({ server: link.wsUrl }));
    await storeOne(first, "a");
    await expect(badges(second, "pending")).toHaveCount(1);
    await link.mend();
    await first.locator("#flush").click();
    await expect(badges(first, "pending")).toHaveCount(0);
    await expect(badges(second, "pending")).toHaveCount(0);
    await expect(second.locator("#outbox li")).toHaveCount(0);
  });

  test("shows the samples again when the first one has destroyed the namespace", async ({ openDemo }) => {
    const { first, second } = await openTabs(openDemo);
    await storeSamples(first);
    await expect(options(second)).toHaveCount(12);
    await first.locator("#destroy").click();
    await first.locator("#confirm-yes").click();
    await expect(options(second)).toHaveCount(0);
    await storeSamples(first);
    await expect(options(second)).toHaveCount(12);
  });
});

test.describe("the filter of the demo", () => {
  test("Invalidate marks the entries that match as stale, also after a reload, until they are written", async ({ openDemo }) => {
    const page = await openDemo();
    await storeSamples(page);
    const invalidate = page.locator("#invalidate");
    await page.getByLabel("Tag", { exact: true }).fill("shop");
    await expect(options(page)).toHaveCount(2);
    await invalidate.press("Enter");
    await expect(page.locator("#keys-notice")).toHaveText("Marked 2 entries as stale.");
    await expect(invalidate).toBeFocused();
    await invalidate.click();
    await expect(page.locator("#keys-notice")).toHaveText("No entry was marked: none matches, or all are stale already.");

    await page.reload();
    await expect(options(page)).toHaveCount(12);
    await expect(badges(page, "stale")).toHaveCount(2);
    await options(page, "cart:4711").click();
    await expect(fact(page, "Stale")).toHaveText("yes: invalidated, and not written since");
    await page.locator("#details-edit").click();
    await page.locator("#update").click();
    await expect(badges(page, "stale")).toHaveCount(1);
    await expect(fact(page, "Stale")).toHaveText("no");
  });

  test("Delete by tag deletes the entries with the tag, after a question, and only while there is a tag", async ({ openDemo }) => {
    const page = await openDemo();
    await storeSamples(page);
    const button = page.locator("#delete-by-tag");
    const tag = page.getByLabel("Tag", { exact: true });
    await expect(button).toBeDisabled();
    await tag.fill("none has it");
    await expect(button).toBeEnabled();
    await button.click();
    await expect(page.locator("#keys-notice")).toHaveText("No entry has the tag “none has it”.");

    await tag.fill("people");
    await page.getByLabel("Pattern").fill("user:g*");
    await expect(options(page)).toHaveCount(1);
    await button.press("Enter");
    await expect(page.locator("#confirm-title")).toHaveText("Delete by the tag “people”?");
    await expect(page.locator("#confirm-text")).toContainText("This deletes 3 entries, whatever the pattern is");
    await page.keyboard.press("Escape");
    await expect(button).toBeFocused();
    await expect(options(page)).toHaveCount(1);
    await button.press("Enter");
    await page.locator("#confirm-yes").click();
    await expect(page.locator("#keys-notice")).toHaveText("Deleted 3 entries.");
    await page.getByLabel("Pattern").fill("");
    await tag.fill("");
    await expect(options(page)).toHaveCount(9);
    await expect(button).toBeDisabled();
  });

  test("Touch restarts the TTL of an entry, and says so of one that never expires", async ({ openDemo }) => {
    const page = await openDemo();
    await storeSamples(page);
    await options(page, "session:7f3a").click();
    await expect(fact(page, "Expires in")).toHaveText("1 min 58 s");
    await page.locator("#details-touch").click();
    await expect(page.locator("#details-notice")).toHaveText("The TTL has started again.");
    await expect(fact(page, "Expires in")).toHaveText(/^(2 min 00|1 min 59) s$/);
    await options(page, "user:ada").click();
    await page.locator("#details-touch").click();
    await expect(page.locator("#details-notice")).toHaveText("The entry has no TTL: it never expires.");
  });
});

test.describe("encryption in the demo", () => {
  test("an entry can be read with the passphrase only, and the list stays usable without it", async ({ openDemo }) => {
    const page = await openDemo();
    await reopen(page, "right");
    await expect(page.locator("#settings-notice")).toContainText("with the passphrase");
    await storeSamples(page);
    await expect(badges(page, "encrypted")).toHaveCount(12);
    await options(page, "user:ada").click();
    await expect(page.locator("#details-value")).toContainText("Ada Lovelace");
    await expect(fact(page, "Encrypted")).toContainText("yes");
    expect(page.url()).not.toContain("right");
    expect(await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]))).toBe("[{},{}]");

    const refused = page.locator("#details-empty");
    const remedy =
      /“user:ada” cannot be read\. DECRYPT_FAILED: .* Was it stored with another passphrase\? Enter that above and choose Reopen\.$/;
    await reopen(page, "wrong");
    await options(page, "user:ada").click();
    await expect(refused).toHaveText(remedy);
    await page.reload();
    await expect(page.getByLabel("Passphrase")).toHaveValue("");
    await options(page, "user:ada").click();
    await expect(refused).toHaveText(remedy);

    await storeOne(page, "plain");
    await expect(page.locator("#details-value")).toHaveText("1");
    await expect(options(page)).toHaveCount(13);
    await expect(badges(page, "encrypted")).toHaveCount(12);
    await reopen(page, "right");
    await options(page, "user:ada").click();
    await expect(page.locator("#details-value")).toContainText("Ada Lovelace");
    await options(page, "plain").click();
    await expect(page.locator("#details-value")).toHaveText("1");
  });
});

test.describe("files of the demo", () => {
  test("an export brings the entries back after a clear, encrypted ones too", async ({ openDemo, namespace }) => {
    const page = await openDemo();
    await reopen(page, "a passphrase");
    await storeSamples(page);
    const { name, lines } = await exportFile(page);
    expect(name).toMatch(new RegExp(`^${namespace}-\\d{4}-\\d\\d-\\d\\d\\.ndjson$`));
    await expect(page.locator("#keys-notice")).toHaveText(`Exported 12 entries to “${name}”.`);
    expect(lines).toHaveLength(12);

    await clearCache(page);
    await expect(options(page)).toHaveCount(0);
    await importFile(page, name, `no envelope\n${lines.join("\r\n")}`);
    await expect(page.locator("#keys-notice")).toHaveText("Imported 12 entries, skipped 1.");
    await expect(badges(page, "encrypted")).toHaveCount(12);
    await options(page, "user:ada").click();
    await expect(page.locator("#details-value")).toContainText("Ada Lovelace");

    await importFile(page, name, lines.join("\n"));
    await expect(page.locator("#keys-notice")).toHaveText(
      "Imported 0 entries, skipped 12. A line is skipped if it is damaged, has expired, or is not newer than the entry here.",
    );
    await expect(page.locator("#outbox li")).toHaveCount(0);
  });

  test("Export takes the entries that match the filter", async ({ openDemo }) => {
    const page = await openDemo();
    await storeSamples(page);
    const keys = async (): Promise<string[]> => (await exportFile(page)).lines.map((line) => (JSON.parse(line) as { key: string }).key);
    await page.getByLabel("Pattern").fill("user:*");
    expect(await keys()).toEqual(["user:ada", "user:grace", "user:katherine"]);
    await page.getByLabel("Pattern").fill("");
    await page.getByLabel("Tag", { exact: true }).fill("shop");
    expect(await keys()).toEqual(["cart:4711", "order:2025-0314"]);
    await page.getByLabel("Tag", { exact: true }).fill("none has it");
    await page.getByRole("button", { name: "Export" }).click();
    await expect(page.locator("#keys-notice")).toHaveText("No key matches: there is nothing to export.");
  });

  test("a file that is no export, or empty, changes nothing", async ({ openDemo }) => {
    const page = await openDemo();
    await storeSamples(page);
    const image = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 256));
    for (const [name, content] of [
      ["photo.png", image],
      ["empty.ndjson", ""],
    ] as const) {
      await importFile(page, name, content);
      await expect(page.locator("#keys-notice")).toHaveText(`“${name}” has no entries. Choose a file that Export has made.`);
      await expect(page.locator("#keys-notice")).toHaveAttribute("data-kind", "error");
    }
    await importFile(page, "other.json", '{"name":"Ada"}\nnull\n7');
    await expect(page.locator("#keys-notice")).toContainText("Imported 0 entries, skipped 3. A line is skipped if it is damaged");
    await expect(options(page)).toHaveCount(12);
  });
});

test("axe finds no violation with stale and encrypted badges, and nothing overflows a narrow screen", async ({ openDemo }) => {
  const page = await openDemo();
  await reopen(page, "a passphrase");
  await storeSamples(page);
  await page.locator("#invalidate").click();
  await options(page, "session:7f3a").click();
  await expect(fact(page, "Stale")).toContainText("yes");
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 740 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsIn(page), `${width} px, ${colorScheme}`).toEqual([]);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    const hidden = await page.evaluate(() =>
      Array.from(document.querySelectorAll("#keys .key"), (key) => key.scrollWidth > key.clientWidth).filter(Boolean),
    );
    expect(hidden, "keys cut off").toEqual([]);
  }
});
