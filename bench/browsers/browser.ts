import type { CDPSession } from "@playwright/test";
import type { Engine } from "../engines.ts";
import { launchPlaywright } from "./playwright.ts";
import { launchWebKit } from "./webkit.ts";

/** A page that is ready to measure. */
export interface BenchPage {
  /** Runs a function in the page. It sees its argument and the page's globals only. */
  evaluate<Result, Argument = undefined>(work: (argument: Argument) => Result | Promise<Result>, argument?: Argument): Promise<Result>;
  /** Chromium's DevTools of this page. @throws in other engines */
  devTools(): Promise<CDPSession>;
  close(): Promise<void>;
}

export interface Browser {
  readonly version: string;
  open(): Promise<BenchPage>;
  close(): Promise<void>;
}

/** Starts the machine's browser of an engine; its pages show `url`. */
export function launch(engine: Engine, url: string, incognito: boolean): Promise<Browser> {
  return engine === "webkit" ? launchWebKit(url) : launchPlaywright(engine, url, incognito);
}
