import type { AddressInfo } from "node:net";
import type { OutgoingHttpHeaders } from "node:http";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build, createLogger, preview } from "vite";
import type { Certificates } from "./certificates.ts";

const library = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));

export interface Site {
  /** Without a slash at the end, as in an `Origin` header. */
  readonly origin: string;
  stop(): Promise<void>;
}

/** Builds a page with the built library into a folder, with the given Vite configuration or the default one. */
export async function buildSite(root: string, outDir: string, configFile: string | false = false): Promise<void> {
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  await build({
    configFile,
    root,
    logLevel: "warn",
    customLogger: { ...createLogger("warn"), warn, warnOnce: warn },
    ...(configFile === false && {
      base: "./",
      resolve: { alias: [{ find: /^nas-keystore$/, replacement: library }] },
    }),
    // On a busy machine, slow plugins are no problem.
    build: { outDir, emptyOutDir: true, rolldownOptions: { checks: { pluginTimings: false } } },
  });
  if (warnings.length > 0) throw new Error(`The page does not build without warnings:\n${warnings.join("\n")}`);
}

export interface SiteOptions {
  /** The output folder of `buildSite`. */
  readonly folder: string;
  readonly headers?: OutgoingHttpHeaders;
  /** For https. */
  readonly certificates?: Certificates;
}

/** Serves a folder on a free port: each site is a separate origin. */
export async function startSite({ folder, headers = {}, certificates }: SiteOptions): Promise<Site> {
  const server = await preview({
    configFile: false,
    root: dirname(folder),
    base: "./",
    appType: "mpa",
    logLevel: "warn",
    build: { outDir: basename(folder) },
    preview: {
      host: "127.0.0.1",
      port: 0,
      headers,
      ...(certificates && { https: { cert: certificates.cert, key: certificates.key } }),
    },
  });
  const { port } = server.httpServer.address() as AddressInfo;
  return { origin: `${certificates ? "https" : "http"}://127.0.0.1:${port}`, stop: () => server.close() };
}
