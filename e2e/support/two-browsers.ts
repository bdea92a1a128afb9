import type { Browser, Page } from "@playwright/test";
import type { ConsoleGuard } from "./console-guard.ts";
import { visit } from "./fixtures.ts";

/** A page in another browser, which shares no storage with the others. Its context closes with the browser. */
export async function openElsewhere(browser: Browser, url: string, consoleGuard: ConsoleGuard): Promise<Page> {
  const context = await browser.newContext();
  consoleGuard.watch(context);
  return visit(await context.newPage(), url);
}
