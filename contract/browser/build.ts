import { fileURLToPath } from "node:url";
import { build } from "vite";
import { builtLibraryIn } from "../../e2e/support/build-page.ts";
import { FLAVOURS } from "./run.ts";

export const contractPages: string = fileURLToPath(new URL("page", import.meta.url));

const WORKERS = ["case-worker", "tab-worker"];

/** The global setup of Playwright. Builds the pages that cases run in, and the workers under their own names. */
export default async function buildPages(): Promise<void> {
  const { common, output, expectNoWarnings } = builtLibraryIn(contractPages);
  const pages = FLAVOURS.map((flavour) => `${contractPages}/${flavour}.html`);
  await build({ ...common, build: { ...output, emptyOutDir: true, rolldownOptions: { ...output.rolldownOptions, input: pages } } });
  const entry = Object.fromEntries(WORKERS.map((name) => [name, `${contractPages}/${name}.ts`]));
  await build({
    ...common,
    build: { ...output, emptyOutDir: false, lib: { entry, formats: ["es"], fileName: (_format, name) => `${name}.js` } },
  });
  expectNoWarnings();
}
