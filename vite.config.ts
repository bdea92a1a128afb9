import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { PACKAGES, withoutSignatures } from "./scripts/lib/bundled-packages.mjs";

/** The demo. It runs on the library's source, so that a change to it shows at once. */
export default defineConfig({
  root: fileURLToPath(new URL("demo", import.meta.url)),
  base: "./",
  plugins: [withoutSignatures()],
  resolve: { alias: [{ find: /^nas-keystore$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) }] },
  // Named, because those that load lazily would be found at the first write only, and Vite would then reload the page.
  optimizeDeps: { include: PACKAGES, rolldownOptions: { plugins: [withoutSignatures()] } },
  server: { host: "127.0.0.1", port: 5173 },
  build: { outDir: "dist", emptyOutDir: true },
});
