import type { AddressInfo } from "node:net";
import { preview } from "vite";
import { pageFolder } from "./bundle.ts";

/** Serves the built page, isolated from other origins: Chromium's clock then has microseconds, not tenths of milliseconds. */
export async function servePage(): Promise<{ url: string; stop(): Promise<void> }> {
  const server = await preview({
    configFile: false,
    root: pageFolder,
    base: "./",
    appType: "mpa",
    logLevel: "warn",
    build: { outDir: "dist" },
    preview: {
      host: "127.0.0.1",
      port: 0,
      headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    },
  });
  const { port } = server.httpServer.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, stop: () => server.close() };
}
