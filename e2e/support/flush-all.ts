import { expect, type Page } from "@playwright/test";

/**
 * Calls `flush` until nothing waits any more. Once is not enough where the server was away: an attempt that began
 * then may still be under way.
 */
export async function flushAll(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => store.flush().then(({ pending }) => pending))).toBe(0);
}
