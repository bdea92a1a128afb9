import type { Page } from "@playwright/test";

/** Stores in the page. Resolves to the result, or to the code of the error. */
export function storeIn(page: Page, key: string): Promise<unknown> {
  return page.evaluate((key) => store.store(key, 1).catch((error: { code: string }) => error.code), key);
}
