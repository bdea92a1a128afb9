import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import manifest from "./package.json" with { type: "json" };
import { emptyCrypto } from "./scripts/lib/empty-crypto.mjs";

/** The demo. It runs on the library's source, so that a change to it shows at once. */
export default defineConfig({
  root: fileURLToPath(new URL("demo", import.meta.url)),
  base: "./",
  plugins: [emptyCrypto()],
  resolve: { alias: [{ find: /^nas-keystore$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) }] },
  // Named, because those that load lazily would be found at the first write only, and Vite would then reload the page.
  optimizeDeps: { include: Object.keys(manifest.dependencies), rolldownOptions: { plugins: [emptyCrypto()] } },
  server: { host: "127.0.0.1", port: 5173 },
  build: { outDir: "dist", emptyOutDir: true },
});
