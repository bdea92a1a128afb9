import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, createLogger } from "vite";
import { emptyCrypto } from "../../scripts/lib/empty-crypto.mjs";

const library = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
export const pageFolder: string = fileURLToPath(new URL("../page", import.meta.url));

/**
 * Playwright's global setup: builds the page that the tests run on, with the built library as users install it.
 * Built, not served by Vite's dev server: that one reloads pages when it comes upon a dependency.
 */
export default async function buildPage(): Promise<void> {
  if (!existsSync(library)) throw new Error("dist/ is missing: run `npm run build` first.");
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  await build({
    configFile: false,
    root: pageFolder,
    base: "./",
    logLevel: "warn",
    customLogger: { ...createLogger("warn"), warn, warnOnce: warn },
    plugins: [emptyCrypto()],
    resolve: { alias: [{ find: /^nas-keystore$/, replacement: library }] },
    // As it is written, so that stacks in test reports can be read.
    build: { outDir: "dist", emptyOutDir: true, minify: false, modulePreload: { polyfill: false } },
  });
  // What Vite warns of here, it would warn every user of.
  if (warnings.length > 0) throw new Error(`The library does not build without warnings:\n${warnings.join("\n")}`);
}
