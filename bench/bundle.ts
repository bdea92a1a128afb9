import { fileURLToPath } from "node:url";
import { build, type InlineConfig } from "vite";
import { emptyCrypto } from "../scripts/lib/empty-crypto.mjs";

export const pageFolder: string = fileURLToPath(new URL("page", import.meta.url));
const library = fileURLToPath(new URL("../dist/index.js", import.meta.url));

/** How an app is built that uses the library as it is installed. */
export const appConfig = {
  configFile: false,
  base: "./",
  logLevel: "warn",
  plugins: [emptyCrypto()],
  resolve: { alias: [{ find: /^nas-keystore$/, replacement: library }] },
} satisfies InlineConfig;

export async function buildPage(): Promise<void> {
  await build({
    ...appConfig,
    root: pageFolder,
    logLevel: "error", // warnings are of interest in what is shipped
    // As it is written, so that profiles can be read: once it runs it is no slower.
    build: { outDir: "dist", emptyOutDir: true, minify: false, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 5000 },
  });
}
