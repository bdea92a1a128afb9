import { test } from "./support/demo.ts";
import { expect } from "./support/fixtures.ts";

test("the browser saves the export of the demo, and the button Import asks for a file", async ({ openDemo }) => {
  const page = await openDemo();
  const notice = page.locator("#keys-notice");
  await page.getByRole("button", { name: "Store a dozen samples" }).click();
  await expect(notice).toHaveText("Stored 12 entries.");
  const downloaded = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).press("Enter");
  const file = await (await downloaded).path();
  await page.locator("#clear").click();
  await page.locator("#confirm-yes").click();
  await expect(page.locator("#keys [role=option]")).toHaveCount(0);

  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Import …" }).press("Enter");
  await (await chooser).setFiles(file);
  await expect(notice).toHaveText("Imported 12 entries, skipped 0.");
  await expect(page.locator("#keys [role=option]")).toHaveCount(12);
});
