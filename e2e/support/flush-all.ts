import { expect, type Page } from "@playwright/test";

/**
 * Calls `flush` until no write is pending. One call is not enough after an outage: an attempt that began during the
 * outage may still be under way.
 */
export async function flushAll(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => store.flush().then(({ pending }) => pending))).toBe(0);
}
