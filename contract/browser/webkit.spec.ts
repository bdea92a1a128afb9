/** The contract suite in WebKitGTK. Its driver reports no console: only lines that pass through `console` are seen. */
import { openWebKit } from "../../e2e/support/webkit-driver.ts";
import { registerContract, test, type CasePage } from "./register.ts";

registerContract(
  test.extend<object, { casePage: CasePage }>({
    casePage: [
      async ({}, use) => {
        const page = await openWebKit();
        await use({
          run: async (url, run) => {
            await page.open(url);
            return page.execute("const [run, done] = arguments; globalThis.runCase(run).then(done);", run);
          },
        });
        await page.close();
      },
      { scope: "worker" },
    ],
  }),
);
