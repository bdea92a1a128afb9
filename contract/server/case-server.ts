import { openLink, type Link } from "../../e2e/support/link.ts";
import { startNatsServer, type NatsServer } from "../../e2e/support/nats-server.ts";
import { openWire, type Wire } from "../../e2e/support/wire.ts";
import type { ContractCase, Message, Server } from "../environment.ts";

/** A nats-server that cases share, with a subscription to all of its messages. */
export interface SharedServer {
  readonly nats: NatsServer;
  readonly wire: Wire;
  dispose(): Promise<void>;
}

/** The server of one case. */
export interface CaseServer extends Server {
  /** A WebSocket URL. With the transport "tcp", only its host and port are valid. */
  readonly url: string;
  dispose(): Promise<void>;
}

export async function startSharedServer(config?: string): Promise<SharedServer> {
  const nats = await startNatsServer(config === undefined ? {} : { config });
  const wire = await openWire(nats.tcpUrl);
  return {
    nats,
    wire,
    dispose: async () => {
      await wire.close();
      await nats.dispose();
    },
  };
}

/**
 * Opens the shared server for one case, or a separate server for a case with a `serverConfig`. For an outage, the store connects
 * through a link. The wire connects directly, so that it receives every message during the outage and after it.
 */
export async function openCaseServer(
  shared: SharedServer,
  { outage = false, serverConfig }: Pick<ContractCase, "outage" | "serverConfig">,
  namespace: string,
  transport: "websocket" | "tcp",
): Promise<CaseServer> {
  const separate = serverConfig === undefined ? undefined : await startSharedServer(serverConfig);
  const { nats, wire } = separate ?? shared;
  const direct = transport === "tcp" ? nats.tcpUrl.replace("nats:", "ws:") : nats.wsUrl;
  const link = outage ? await openLink(direct) : undefined;
  const messages = (): Message[] =>
    wire.messages
      .filter(({ subject }) => subject.startsWith(`_kv.${namespace}.`))
      .map(({ subject, headers, envelope }) => ({ subject, headers, envelope }));
  return {
    url: link?.wsUrl ?? direct,
    disconnect: () => required(link).cut(),
    hang: async () => required(link).hang(),
    restore: () => required(link).mend(),
    messages: async () => {
      await wire.settled();
      return messages();
    },
    waitForMessages: async (count) => {
      while (messages().length < count) await wire.waitFor(wire.messages.length + 1);
      return messages();
    },
    dispose: async () => {
      await link?.close();
      await separate?.dispose();
    },
  };
}

function required(link: Link | undefined): Link {
  if (link === undefined) throw new Error("The case makes the server unreachable. Declare `outage: true`.");
  return link;
}
