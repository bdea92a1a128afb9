import { expect, type Page } from "@playwright/test";

/**
 * Calls `flush` until nothing waits any more. Once is not enough where the server was away: Chromium holds handshakes
 * back for seconds after some have failed, also the first to a server that lives again.
 */
export async function flushAll(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate(() => store.flush().then(({ pending }) => pending)), { timeout: 30_000 }).toBe(0);
}
