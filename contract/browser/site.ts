import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { startPageServer } from "../../e2e/support/page-server.ts";
import type { JetStream, Server } from "../environment.ts";
import { contractPages } from "./build.ts";

/** Serves the contract suite's pages and, on the same origin, the control of the server that a case uses. */
export interface Site {
  readonly url: string;
  /** Lets pages control a server. Returns the URL of the control. */
  control(id: string, server: Controlled): string;
  stop(): Promise<void>;
}

/** What a page controls. No method is in both. */
export type Controlled = Server & JetStream;

const CONTROL = "/control";

export async function startSite(): Promise<Site> {
  const servers = new Map<string, Controlled>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [id = "", method = ""] = (request.url ?? "").slice(1).split("/");
    const result = await controlled(servers.get(id), method as keyof Controlled, JSON.parse(await text(request)) as unknown[]);
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

async function controlled(
  server: Controlled | undefined,
  method: keyof Controlled,
  args: unknown[],
): Promise<{ value?: unknown; error?: string }> {
  try {
    const call = server?.[method] as (...args: unknown[]) => Promise<unknown>;
    return { value: await call(...args) };
  } catch (error) {
    return { error: String(error) };
  }
}
