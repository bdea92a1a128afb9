import { fileURLToPath } from "node:url";
import { build, type InlineConfig } from "vite";

export const pageFolder: string = fileURLToPath(new URL("page", import.meta.url));
const library = fileURLToPath(new URL("../dist/index.js", import.meta.url));

/** The build of an app that uses the installed library. */
export const appConfig = {
  configFile: false,
  base: "./",
  logLevel: "warn",
  resolve: { alias: [{ find: /^nas-keystore$/, replacement: library }] },
} satisfies InlineConfig;

export async function buildPage(): Promise<void> {
  await build({
    ...appConfig,
    root: pageFolder,
    logLevel: "error", // warnings matter only for shipped code
    // Not minified, so that profiles are readable. It runs as fast.
    build: { outDir: "dist", emptyOutDir: true, minify: false, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 5000 },
  });
}
