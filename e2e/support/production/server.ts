import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startNatsProcess } from "../../../scripts/lib/nats-process.mjs";
import { requireNatsServer } from "../../../scripts/lib/nats-server.mjs";
import { freePorts } from "../ports.ts";
import type { Certificates } from "./certificates.ts";

const configurations = fileURLToPath(new URL("../../../docs/production", import.meta.url));

export interface ProductionServerOptions {
  /** The program. Default: the nats-server of the machine. */
  readonly binary?: string | undefined;
  /** The name of a configuration in docs/production. */
  readonly configuration: "nats-server.conf" | "nats-server-token.conf" | "nats-server-jwt.conf" | "nats-server-durable.conf";
  readonly certificates: Certificates;
  /** The allowed origin of pages. */
  readonly origins: readonly string[];
  /** Passwords and other secrets, by their names in the configuration. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Included files that are not part of the guide, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ProductionServer {
  readonly wsUrl: string;
  /** For `tls: { ca }` clients over TCP. */
  readonly tcpUrl: string;
  /** The number of open connections of browsers. */
  openWebSockets(): Promise<number>;
  log(): string;
  dispose(): Promise<void>;
}

/** Starts nats-server with an unchanged configuration of the production guide. The environment supplies the variables. */
export async function startProductionServer(options: ProductionServerOptions): Promise<ProductionServer> {
  const program = await requireNatsServer();
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-production-"));
  await cp(configurations, folder, { recursive: true });
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), text);

  const [websocket, clients, monitoring] = await freePorts(3);
  const args = ["-c", join(folder, options.configuration)];
  const { child, gone, log } = await startNatsProcess(program, args, `http://127.0.0.1:${monitoring}`, {
    env: {
      PATH: process.env["PATH"],
      NATS_WEBSOCKET: `127.0.0.1:${websocket}`,
      NATS_CLIENTS: `127.0.0.1:${clients}`,
      NATS_MONITORING: `127.0.0.1:${monitoring}`,
      NATS_TLS_CERT: options.certificates.certFile,
      NATS_TLS_KEY: options.certificates.keyFile,
      NATS_STORE: join(folder, "jetstream"),
      NATS_STORE_BYTES: "1G",
      NATS_APP_ORIGINS: JSON.stringify(options.origins),
      ...options.secrets,
    },
  });
  return {
    wsUrl: `wss://127.0.0.1:${websocket}`,
    tcpUrl: `tls://127.0.0.1:${clients}`,
    openWebSockets: async () => {
      const response = await fetch(`http://127.0.0.1:${monitoring}/connz`);
      const { connections } = (await response.json()) as { connections: { type?: string }[] };
      return connections.filter(({ type }) => type === "websocket").length;
    },
    log,
    dispose: async () => {
      child.kill("SIGKILL");
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
