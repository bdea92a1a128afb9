import { fileURLToPath } from "node:url";
import { build } from "vite";
import { builtLibraryIn } from "../../e2e/support/build-page.ts";
import { FLAVOURS } from "./run.ts";

export const contractPages: string = fileURLToPath(new URL("page", import.meta.url));

/** Playwright's global setup: builds the pages that cases run in. */
export default async function buildPages(): Promise<void> {
  const { common, output, expectNoWarnings } = builtLibraryIn(contractPages);
  const input = FLAVOURS.map((flavour) => `${contractPages}/${flavour}.html`);
  await build({ ...common, build: { ...output, emptyOutDir: true, rolldownOptions: { ...output.rolldownOptions, input } } });
  expectNoWarnings();
}
