import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../e2e/support/ports.ts";

/** One nats-server, or the three servers of a cluster. Tells how much CPU time, memory and disk they use. */
export interface Measured {
  /** Of the first server. */
  readonly websocket: number;
  readonly client: number;
  /** CPU time of all servers since their start, the kernel's included, in microseconds. */
  cpuUs(): number;
  /** Memory of the processes in bytes (RSS). */
  residentBytes(): number;
  /** Memory in use after a garbage collection, in bytes (Go's heap). */
  heapBytes(): Promise<number>;
  /** Bytes of the JetStream folders of all servers, as allocated on the disk. */
  diskBytes(): number;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly binary: string;
  /** More lines of configuration. */
  readonly config?: string;
  /** Lines of the `websocket` block. Default: no TLS. */
  readonly websocket?: string;
  /** Default true. */
  readonly jetstream?: boolean;
  /** Three servers instead of one. */
  readonly cluster?: boolean;
}

/** Starts servers on free loopback ports. */
export async function startMeasured(options: ServerOptions): Promise<Measured> {
  const { binary, config = "", websocket = "no_tls: true", jetstream = true, cluster = false } = options;
  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-connections-"));
  const count = cluster ? 3 : 1;
  const ports = await freePorts(count * 5);
  const port = (server: number, use: "websocket" | "client" | "http" | "prof" | "route"): number =>
    ports[server * 5 + ["websocket", "client", "http", "prof", "route"].indexOf(use)] ?? 0;
  const routes = Array.from({ length: count }, (_, server) => `"nats://127.0.0.1:${port(server, "route")}"`).join(", ");
  const servers: { pid: number; stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  for (let server = 0; server < count; server++) {
    const store = join(folder, `js${server}`);
    await mkdir(store);
    const file = join(folder, `${server}.conf`);
    await writeFile(
      file,
      [
        `server_name: s${server}`,
        `listen: "127.0.0.1:${port(server, "client")}"`,
        `http: "127.0.0.1:${port(server, "http")}"`,
        `prof_port: ${port(server, "prof")}`,
        `websocket { listen: "127.0.0.1:${port(server, "websocket")}", ${websocket} }`,
        jetstream ? `jetstream { store_dir: "${store}", max_mem: 1G, max_file: 20G }` : "",
        cluster ? `cluster { name: bench, listen: "127.0.0.1:${port(server, "route")}", routes: [${routes}] }` : "",
        config,
      ].join("\n"),
    );
    servers.push(launch(binary, file));
  }
  try {
    for (let server = 0; server < count; server++) await healthy(`http://127.0.0.1:${port(server, "http")}/healthz`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    websocket: port(0, "websocket"),
    client: port(0, "client"),
    cpuUs: () => sum(servers, ({ pid }) => cpuOf(pid)),
    residentBytes: () => sum(servers, ({ pid }) => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])),
    heapBytes: async () => {
      const texts = servers.map(async (_, server) =>
        (await fetch(`http://127.0.0.1:${port(server, "prof")}/debug/pprof/heap?gc=1&debug=1`)).text(),
      );
      return sum(await Promise.all(texts), (text) => Number(/# HeapAlloc = (\d+)/.exec(text)?.[1]));
    },
    diskBytes: () => allocated(folder),
    stop,
  };
}

/** The kernel counts CPU time in ticks of 10 ms. */
const US_PER_TICK = 10_000;

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK; // utime and stime
}

function launch(binary: string, file: string): { pid: number; stop(): Promise<void> } {
  const child = spawn(binary, ["-c", file], { stdio: "ignore" });
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.on("exit", killAtExit);
  const gone = once(child, "close");
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGKILL");
      await gone;
      process.off("exit", killAtExit);
    },
  };
}

async function healthy(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(50)) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
  }
  throw new Error(`No nats-server is healthy at ${url}.`);
}

function allocated(path: string): number {
  const { blocks } = statSync(path);
  const entries = statSync(path).isDirectory() ? readdirSync(path) : [];
  return blocks * 512 + sum(entries, (name) => allocated(join(path, name)));
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
