import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { startPageServer } from "../../e2e/support/page-server.ts";
import type { Server } from "../environment.ts";
import { contractPages } from "./build.ts";

/** Serves the contract suite's pages and, on the same origin, the control of the server that a case uses. */
export interface Site {
  readonly url: string;
  /** Lets pages control a server. Returns the URL of the control. */
  control(id: string, server: Server): string;
  stop(): Promise<void>;
}

const CONTROL = "/control";

export async function startSite(): Promise<Site> {
  const servers = new Map<string, Server>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [id = "", method = ""] = (request.url ?? "").slice(1).split("/");
    const result = await controlled(servers.get(id), method as keyof Server, JSON.parse(await text(request)) as unknown[]);
    response.setHeader("content-type", "application/json").end(JSON.stringify(result));
  };
  const pages = await startPageServer(contractPages, [
    {
      name: "server-control",
      configurePreviewServer: ({ middlewares }) => {
        middlewares.use(CONTROL, (request: IncomingMessage, response: ServerResponse) => void answer(request, response));
      },
    },
  ]);
  return {
    url: pages.url,
    control: (id, server) => {
      servers.set(id, server);
      return `${CONTROL}/${id}`;
    },
    stop: pages.stop,
  };
}

async function controlled(server: Server | undefined, method: keyof Server, args: unknown[]): Promise<{ value?: unknown; error?: string }> {
  try {
    const call = server?.[method] as (...args: unknown[]) => Promise<unknown>;
    return { value: await call(...args) };
  } catch (error) {
    return { error: String(error) };
  }
}
