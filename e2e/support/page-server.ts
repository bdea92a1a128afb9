import type { AddressInfo } from "node:net";
import { preview, type Plugin } from "vite";
import { pageFolder } from "./build-page.ts";

export interface PageServer {
  /** Ends with a slash. Another host name that resolves to `127.0.0.1` works too, and is another origin. */
  url: string;
  stop: () => Promise<void>;
}

/** A path at which the server asks the browser to clear the site's data, as a user does in the settings. */
export const CLEAR_SITE_DATA = "clear-site-data";

/** Serves the built page, or the pages of another folder, on a free port. Each server is a separate origin. */
export async function startPageServer(root = pageFolder, plugins: Plugin[] = []): Promise<PageServer> {
  const server = await preview({
    configFile: false,
    root,
    base: "./",
    appType: "mpa",
    logLevel: "warn",
    build: { outDir: "dist" },
    plugins: [
      ...plugins,
      {
        name: "clear-site-data",
        configurePreviewServer: ({ middlewares }) => {
          middlewares.use(`/${CLEAR_SITE_DATA}`, (_request, response) => {
            response.setHeader("Clear-Site-Data", '"storage"').end();
          });
        },
      },
    ],
    preview: { host: "127.0.0.1", port: 0, allowedHosts: true },
  });
  const { port } = server.httpServer.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, stop: () => server.close() };
}
