import type { CDPSession } from "@playwright/test";
import type { Engine } from "../../scripts/lib/browsers.mjs";
import { launchPlaywright } from "./playwright.ts";
import { launchWebKit } from "./webkit.ts";

/** A page that is ready to measure. */
export interface BenchPage {
  /** Runs a function in the page. It can use its argument and the page's globals only. */
  evaluate<Result, Argument = undefined>(work: (argument: Argument) => Result | Promise<Result>, argument?: Argument): Promise<Result>;
  /** Connects to the page's DevTools. Rejects in engines other than Chromium. */
  devTools(): Promise<CDPSession>;
  close(): Promise<void>;
}

export interface Browser {
  readonly version: string;
  open(): Promise<BenchPage>;
  close(): Promise<void>;
}

/** Starts the machine's browser of an engine. Its pages show `url`. */
export function launch(engine: Engine, url: string, incognito: boolean): Promise<Browser> {
  return engine === "webkit" ? launchWebKit(url) : launchPlaywright(engine, url, incognito);
}
