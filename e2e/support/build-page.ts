import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, createLogger, type BuildOptions, type InlineConfig, type Plugin } from "vite";

const library = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const eagerLibrary = fileURLToPath(new URL("../../dist/eager.js", import.meta.url));
export const pageFolder: string = fileURLToPath(new URL("../page", import.meta.url));

/** The path of the page whose library is of a later release. It has the origin of the e2e page. */
export const NEWER_PAGE = "newer/";

/**
 * Playwright's global setup: builds the page that the tests run on, with the built library as users install it.
 * The pages are built because Vite's dev server reloads a page when it finds a new dependency.
 */
export default async function buildPage(): Promise<void> {
  const { common, output, expectNoWarnings } = builtLibraryIn(pageFolder);
  await build({ ...common, build: { ...output, emptyOutDir: true } });
  // Workers with fixed names: a module that loads parts lazily, and a classic script without import().
  for (const [name, format] of [
    ["worker", "es"],
    ["service-worker", "iife"],
  ] as const) {
    await build({
      ...common,
      build: {
        ...output,
        emptyOutDir: false,
        lib: { entry: `${pageFolder}/${name}.ts`, formats: [format], name: "worker", fileName: () => `${name}.js` },
      },
    });
  }
  await build({
    ...common,
    plugins: [nextProtocol],
    build: { ...output, outDir: `dist/${NEWER_PAGE}`, emptyOutDir: true },
  });
  expectNoWarnings();
}

/** The constant of src/tabs/channel.ts in dist/core.js. */
const PROTOCOL = /\bPROTOCOL = (\d+)/;

/** Raises the version of the messages between tabs, as a later release does. */
const nextProtocol: Plugin = {
  name: "next-protocol",
  transform(code, id) {
    if (!id.endsWith("/dist/core.js")) return undefined;
    if (!PROTOCOL.test(code)) throw new Error(`${id} has no constant PROTOCOL. Adapt e2e/support/build-page.ts.`);
    return code.replace(PROTOCOL, (_all, version: string) => `PROTOCOL = ${Number(version) + 1}`);
  },
};

/** Rolldown warns about a slow build, which is no error on a slow machine. */
const rolldownOptions = { checks: { bundlerTimings: false } };

/** The configuration for a build of the pages in a folder. They use the built library as users install it. */
export function builtLibraryIn(root: string): { common: InlineConfig; output: BuildOptions; expectNoWarnings: () => void } {
  if (!existsSync(library)) throw new Error("dist/ is missing: run `npm run build` first.");
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  return {
    common: {
      configFile: false,
      root,
      base: "./",
      logLevel: "warn",
      customLogger: { ...createLogger("warn"), warn, warnOnce: warn },
      resolve: {
        alias: [
          { find: /^nas-keystore$/, replacement: library },
          { find: /^nas-keystore\/eager$/, replacement: eagerLibrary },
        ],
      },
    },
    // Not minified, so that stacks in test reports are readable.
    output: { outDir: "dist", minify: false, modulePreload: { polyfill: false }, rolldownOptions },
    expectNoWarnings: () => {
      // Every user would see the same warnings.
      if (warnings.length > 0) throw new Error(`The library does not build without warnings:\n${warnings.join("\n")}`);
    },
  };
}
