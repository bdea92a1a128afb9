/** The contract suite in the engines that Playwright drives. */
import { registerContract, test, type CasePage } from "./register.ts";

registerContract(
  test.extend<object, { casePage: CasePage }>({
    casePage: [
      async ({ browser }, use) => {
        const page = await browser.newPage();
        let complaints: string[] = [];
        page.on("console", (message) => {
          if (["warning", "error"].includes(message.type())) complaints.push(message.text());
        });
        page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`));
        await use({
          run: async (url, run) => {
            complaints = [];
            await page.goto(url);
            const outcome = await page.evaluate((run) => globalThis.runCase(run), run);
            return { ...outcome, complaints: [...new Set([...outcome.complaints, ...complaints])] };
          },
        });
        await page.close();
      },
      { scope: "worker" },
    ],
  }),
);
