import { openLink } from "../../e2e/support/link.ts";
import { startNatsServer, type NatsServer, type NatsServerOptions } from "../../e2e/support/nats-server.ts";
import { natsServers } from "../../e2e/support/nats-servers.ts";
import { openWire, type Wire } from "../../e2e/support/wire.ts";
import type { ContractCase, JetStream, Message, Server } from "../environment.ts";
import { jetStreamOf } from "./jetstream.ts";

const NO_LINK = "The case makes the server unreachable. Declare `outage: true`.";
const NO_WIRE = "The case has JetStream, so nothing subscribes to its messages. Read the stream.";

/** A case on one nats-server. */
export interface CaseRun {
  readonly contractCase: ContractCase;
  /** The case's title; a case with JetStream names the server too. */
  readonly title: string;
  /** The nats-server. Undefined: the one that `npm start` runs. */
  readonly program?: string | undefined;
}

/** The runs of a case: one, or with JetStream one on each nats-server of the machine. */
export function runsOf(contractCase: ContractCase): CaseRun[] {
  const { title } = contractCase;
  if (contractCase.jetstream !== true) return [{ contractCase, title }];
  return natsServers.map((server) => ({ contractCase, title: `${title} (${server.title})`, program: server.program }));
}

/** A server with JetStream has no wire: its subscription would count as a responder, and hide that no stream captures a message. */
interface RunningServer {
  readonly nats: NatsServer;
  readonly wire: Wire | undefined;
}

/** The nats-servers that cases share. A server starts with the first case that needs it. */
export class SharedServers {
  readonly #running = new Map<string, Promise<RunningServer>>();

  of({ contractCase: { jetstream = false }, program }: CaseRun): Promise<RunningServer> {
    const id = `${program} ${jetstream}`;
    const running = this.#running.get(id) ?? start({ jetstream, program });
    this.#running.set(id, running);
    return running;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#running.values()].map(async (running) => end(await running)));
  }
}

/** The server of one case. */
export interface CaseServer extends Server, JetStream {
  /** A WebSocket URL. With the transport "tcp", only its host and port are valid. */
  readonly url: string;
  dispose(): Promise<void>;
}

/**
 * Opens a shared server for one case, or a separate server for a case with a `serverConfig`. For an outage, the store connects
 * through a link. The wire connects directly, so that it receives every message during the outage and after it.
 */
export async function openCaseServer(
  shared: SharedServers,
  run: CaseRun,
  namespace: string,
  transport: "websocket" | "tcp",
): Promise<CaseServer> {
  const { outage = false, serverConfig, jetstream = false } = run.contractCase;
  const separate = serverConfig === undefined ? undefined : await start({ config: serverConfig, jetstream, program: run.program });
  const { nats, wire } = separate ?? (await shared.of(run));
  const direct = transport === "tcp" ? nats.tcpUrl.replace("nats:", "ws:") : nats.wsUrl;
  const link = outage ? await openLink(direct) : undefined;
  const messages = (): Message[] =>
    required(wire, NO_WIRE)
      .messages.filter(({ subject }) => subject.startsWith(`_kv.${namespace}.`))
      .map(({ subject, headers, envelope }) => ({ subject, headers, envelope }));
  const streams = jetStreamOf(nats.tcpUrl, namespace);
  return {
    ...streams,
    url: link?.wsUrl ?? direct,
    disconnect: () => required(link, NO_LINK).cut(),
    hang: async () => required(link, NO_LINK).hang(),
    restore: () => required(link, NO_LINK).mend(),
    messages: async () => {
      await wire?.settled();
      return messages();
    },
    waitForMessages: async (count) => {
      while (messages().length < count) await wire?.waitFor(wire.messages.length + 1);
      return messages();
    },
    dispose: async () => {
      await link?.close();
      if (jetstream) await streams.dispose();
      if (separate !== undefined) await end(separate);
    },
  };
}

async function start(options: NatsServerOptions): Promise<RunningServer> {
  const nats = await startNatsServer(options);
  return { nats, wire: options.jetstream ? undefined : await openWire(nats.tcpUrl) };
}

async function end({ nats, wire }: RunningServer): Promise<void> {
  await wire?.close();
  await nats.dispose();
}

function required<Part>(part: Part | undefined, problem: string): Part {
  if (part === undefined) throw new Error(problem);
  return part;
}
