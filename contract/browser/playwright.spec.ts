/** The contract suite in the engines that Playwright drives. */
import { registerContract, test, type CasePage } from "./register.ts";

registerContract(
  test.extend<object, { casePage: CasePage }>({
    casePage: [
      async ({ browser }, use) => {
        const page = await browser.newPage();
        let problems: string[] = [];
        page.on("console", (message) => {
          if (["warning", "error"].includes(message.type())) problems.push(message.text());
        });
        page.on("pageerror", (error) => problems.push(`uncaught: ${error.stack ?? error.message}`));
        await use({
          run: async (url, run) => {
            problems = [];
            await page.goto(url);
            const outcome = await page.evaluate((run) => globalThis.runCase(run), run);
            // Its server ends next. A connection that the page is opening then would fail, and count as a problem of the next case.
            await page.goto("about:blank");
            return { ...outcome, problems: [...new Set([...outcome.problems, ...problems])] };
          },
        });
        await page.close();
      },
      { scope: "worker" },
    ],
  }),
);
