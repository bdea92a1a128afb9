import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findNatsServer, howToGetAServer } from "../../../scripts/lib/nats-server.mjs";
import { withDeadline } from "../deadline.ts";
import { freePorts } from "../ports.ts";
import type { Certificates } from "./certificates.ts";

const configurations = fileURLToPath(new URL("../../../docs/production", import.meta.url));

export interface ProductionServerOptions {
  /** The name of a configuration in docs/production. */
  readonly configuration: "nats-server.conf" | "nats-server-token.conf" | "nats-server-jwt.conf";
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
  const binary = await findNatsServer();
  if (binary === undefined) throw new Error(`No nats-server was found: ${howToGetAServer}`);
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-production-"));
  await cp(configurations, folder, { recursive: true });
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), text);

  const [websocket, clients, monitoring] = await freePorts(3);
  const child = spawn(binary, ["-c", join(folder, options.configuration)], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"],
      NATS_WEBSOCKET: `127.0.0.1:${websocket}`,
      NATS_CLIENTS: `127.0.0.1:${clients}`,
      NATS_MONITORING: `127.0.0.1:${monitoring}`,
      NATS_TLS_CERT: options.certificates.certFile,
      NATS_TLS_KEY: options.certificates.keyFile,
      NATS_APP_ORIGINS: JSON.stringify(options.origins),
      ...options.secrets,
    },
  });
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.on("exit", killAtExit);
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const gone = once(child, "close");

  const dispose = async (): Promise<void> => {
    child.kill("SIGKILL");
    await gone;
    process.off("exit", killAtExit);
    await rm(folder, { recursive: true, force: true });
  };
  const failed = gone.then(() => {
    throw new Error(`nats-server ended at its start:\n${output}`);
  });
  failed.catch(() => {}); // a later end is requested by a test
  const over = new AbortController();
  try {
    const healthy = untilHealthy(`http://127.0.0.1:${monitoring}/healthz`, over.signal);
    await withDeadline(Promise.race([healthy, failed]), () => `nats-server does not listen:\n${output}`);
  } catch (error) {
    await dispose();
    throw error;
  } finally {
    over.abort();
  }
  return {
    wsUrl: `wss://127.0.0.1:${websocket}`,
    tcpUrl: `tls://127.0.0.1:${clients}`,
    openWebSockets: async () => {
      const response = await fetch(`http://127.0.0.1:${monitoring}/connz`);
      const { connections } = (await response.json()) as { connections: { type?: string }[] };
      return connections.filter(({ type }) => type === "websocket").length;
    },
    log: () => output,
    dispose,
  };
}

async function untilHealthy(url: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await sleep(20);
  }
}
