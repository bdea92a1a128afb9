import type { Page } from "@playwright/test";

/** Kills the renderer process of a tab, as the system does when memory is short. Only Chromium's DevTools can do that. */
export async function crash(tab: Page): Promise<void> {
  const crashed = tab.waitForEvent("crash");
  const devtools = await tab.context().newCDPSession(tab);
  devtools.send("Page.crash").catch(() => {}); // the call never resolves
  await crashed;
}
