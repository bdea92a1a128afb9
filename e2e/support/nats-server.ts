import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startNatsProcess, type NatsProcess } from "../../scripts/lib/nats-process.mjs";
import { requireNatsServer } from "../../scripts/lib/nats-server.mjs";
import { withDeadline } from "./deadline.ts";
import { freePorts } from "./ports.ts";

export interface NatsServerOptions {
  /** More lines for the server's configuration: users, permissions, max_payload … */
  config?: string;
  /** Default false. Streams are kept across restarts, until `dispose`. */
  jetstream?: boolean;
  /** The program to run, one of `natsServers`. Defaults to the one that `npm start` runs. */
  program?: string | undefined;
}

export interface Connections {
  /** Open connections of every kind, a test's `wire` included. */
  open: number;
  /** Connections of every kind that were opened since the server started. */
  total: number;
  /** Open WebSocket connections. */
  openWebSockets: number;
  /** WebSocket connections that were opened since the server started. The server remembers the last 10,000 closed ones. */
  totalWebSockets: number;
}

/** A real nats-server on free loopback ports. */
export interface NatsServer {
  readonly wsUrl: string;
  readonly tcpUrl: string;
  readonly monitorUrl: string;
  /** The id of the running process, or of the last one. */
  readonly pid: number;
  /** Ends the process with SIGTERM. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Ends the process with SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>;
  /** Starts the server again on the same ports, with the same options unless others are given. Ends a running process first. */
  restart(options?: NatsServerOptions): Promise<void>;
  /** Suspends the process: connections stay open, the kernel accepts new ones, and nothing answers. */
  suspend(): void;
  resume(): void;
  /** Begins lame-duck mode: the server accepts no new connection, and asks its clients to leave. */
  leave(): void;
  connections(): Promise<Connections>;
  /** The number of messages that the server has sent to WebSocket connections, closed ones included. */
  sentToWebSockets(): Promise<number>;
  /** The output since the last start. */
  log(): string;
  /** Ends the process and removes its files. */
  dispose(): Promise<void>;
}

export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-nats-"));
  for (let attempt = 1; ; attempt++) {
    const [websocket = 0, client = 0, monitoring = 0] = await freePorts(3);
    const ports: Ports = { websocket, client, monitoring };
    try {
      return running(folder, ports, options, await launch(folder, ports, options));
    } catch (error) {
      // Another process may take the port between the check and the start of the server.
      if (attempt < 5 && String(error).includes("address already in use")) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

interface Ports {
  websocket: number;
  client: number;
  monitoring: number;
}

function running(folder: string, ports: Ports, first: NatsServerOptions, launched: NatsProcess): NatsServer {
  let options = first;
  let current = launched;
  const monitorUrl = `http://127.0.0.1:${ports.monitoring}`;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    current.child.kill(signal);
    current.child.kill("SIGCONT"); // a suspended process takes no SIGTERM
    await withDeadline(current.gone, () => `nats-server did not end by ${signal}\n${current.log()}`);
  };

  return {
    wsUrl: `ws://127.0.0.1:${ports.websocket}`,
    tcpUrl: `nats://127.0.0.1:${ports.client}`,
    monitorUrl,
    get pid() {
      return current.child.pid ?? 0;
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    restart: async (changed) => {
      options = changed ?? options;
      await end("SIGTERM");
      current = await launch(folder, ports, options);
    },
    suspend: () => {
      current.child.kill("SIGSTOP");
      // The server may answer until the signal takes effect.
      const status = `/proc/${current.child.pid}/status`;
      while (existsSync(status) && !/^State:\s+T/m.test(readFileSync(status, "utf8")));
    },
    resume: () => void current.child.kill("SIGCONT"),
    leave: () => void current.child.kill("SIGUSR2"),
    connections: () => countConnections(monitorUrl),
    sentToWebSockets: async () => (await webSocketsOf(monitorUrl)).reduce((sum, connection) => sum + connection.out_msgs, 0),
    log: () => current.log(),
    dispose: async () => {
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, ports: Ports, options: NatsServerOptions): Promise<NatsProcess> {
  const program = options.program ?? (await requireNatsServer());
  const configFile = join(folder, "nats-server.conf");
  await writeFile(configFile, configuration(folder, ports, options));
  return startNatsProcess(program, ["-c", configFile], `http://127.0.0.1:${ports.monitoring}`);
}

function configuration(folder: string, ports: Ports, { config = "", jetstream = false }: NatsServerOptions): string {
  return [
    `listen: "127.0.0.1:${ports.client}"`,
    `http: "127.0.0.1:${ports.monitoring}"`,
    `websocket { listen: "127.0.0.1:${ports.websocket}", no_tls: true }`,
    jetstream ? `jetstream { store_dir: "${folder}", max_mem: 64M, max_file: 256M }` : "",
    config,
  ].join("\n");
}

async function countConnections(monitorUrl: string): Promise<Connections> {
  const [webSockets, general] = await Promise.all([
    webSocketsOf(monitorUrl),
    monitor<{ connections: number; total_connections: number }>(`${monitorUrl}/varz`),
  ]);
  return {
    open: general.connections,
    total: general.total_connections,
    openWebSockets: webSockets.filter((connection) => connection.stop === undefined).length,
    totalWebSockets: webSockets.length,
  };
}

/** The entry of a connection on the monitoring page. */
interface MonitoredConnection {
  readonly type?: string;
  /** When it was closed. */
  readonly stop?: string;
  readonly out_msgs: number;
}

async function webSocketsOf(monitorUrl: string): Promise<MonitoredConnection[]> {
  const { connections } = await monitor<{ connections: MonitoredConnection[] }>(`${monitorUrl}/connz?state=all&limit=100000`);
  return connections.filter(({ type }) => type === "websocket");
}

async function monitor<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return (await response.json()) as T;
}
