import { openWebKit, type WebKitPage } from "../../e2e/support/webkit-driver.ts";
import type { BenchPage, Browser } from "./browser.ts";

/** How long one command of the driver waits for the work in the page. Must be less than the driver's limit for a script. */
const PATIENCE_MS = 20_000;

/** An answer without `done`: the work continues. */
interface Answer<Result> {
  readonly done?: boolean;
  readonly result?: Result;
  readonly error?: string;
}

/** WebKitGTK: each page is a browser of its own, whose IndexedDB is in memory. */
export async function launchWebKit(url: string): Promise<Browser> {
  const first = await openWebKit();
  const pages = [first];
  let next = 0;
  return {
    version: first.version,
    open: async () => {
      const page = (pages[next++] ??= await openWebKit());
      await page.open(url);
      return benchPage(page);
    },
    close: async () => void (await Promise.all(pages.map((page) => page.close()))),
  };
}

function benchPage(page: WebKitPage): BenchPage {
  return {
    evaluate: async <Result, Argument>(work: (argument: Argument) => Result | Promise<Result>, argument?: Argument) => {
      await page.execute(START, String(work), argument ?? null);
      for (;;) {
        const { done, result, error } = await page.execute<Answer<Result>>(WAIT, PATIENCE_MS);
        if (error !== undefined) throw new Error(error);
        if (done === true) return result as Result;
      }
    },
    devTools: () => Promise.reject(new Error("WebKitGTK has no DevTools protocol.")),
    close: () => page.close(),
  };
}

/** Module scripts may still load when the driver reports that the page has loaded. */
const START = `
  const [source, argument, done] = arguments;
  const ready = async () => { while (!document.body?.dataset.ready) await new Promise((resolve) => setTimeout(resolve, 20)); };
  globalThis.work = ready().then(() => (0, eval)("(" + source + ")")(argument)).then(
    (result) => ({ done: true, result }),
    (error) => ({ done: true, error: String(error) }),
  );
  done();`;

const WAIT = `
  const [patience, done] = arguments;
  Promise.race([globalThis.work, new Promise((resolve) => setTimeout(resolve, patience, {}))]).then(done);`;
