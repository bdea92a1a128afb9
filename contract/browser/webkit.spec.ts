/** The contract suite in WebKitGTK. Its driver reports no console lines, so the page reports calls of `console`. */
import { openWebKit } from "../../e2e/support/webkit-driver.ts";
import { registerContract, test, type CasePage } from "./register.ts";

/** Waits for `runCase`: the driver may report the load before the page's modules are evaluated. */
const RUN = `
  const [run, done] = arguments;
  const begin = () => globalThis.runCase === undefined ? setTimeout(begin) : globalThis.runCase(run).then(done);
  begin();`;

registerContract(
  test.extend<object, { casePage: CasePage }>({
    casePage: [
      async ({}, use) => {
        const page = await openWebKit();
        await use({
          run: async (url, run) => {
            await page.open(url);
            return page.execute(RUN, run);
          },
        });
        await page.close();
      },
      { scope: "worker" },
    ],
  }),
);
