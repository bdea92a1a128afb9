import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isRunning, spawnNats, untilHealthy } from "./nats-process.mjs";

/** Longer than the election of a stream's leader takes on a slow machine. */
const ELECTION_MS = 120_000;

/**
 * The loopback ports of a server.
 * @typedef {{ websocket: number, client: number, monitoring: number, routes: number }} Ports
 */

/** Servers of one JetStream cluster, each a process of this machine. */
export class NatsCluster {
  /** @type {readonly ClusterServer[]} */
  servers;

  /** @param {readonly ClusterServer[]} servers */
  constructor(servers) {
    this.servers = servers;
  }

  /**
   * Starts one server for each element of `ports`. Resolves when all of them are healthy.
   * `config`: more lines for the configuration of each server. The servers keep their data in `folder`, which the caller removes.
   * @param {{ program: string, folder: string, ports: readonly Ports[], config?: string }} options
   */
  static async start({ program, folder, ports, config = "" }) {
    const routes = ports.map((own) => `"nats://127.0.0.1:${own.routes}"`).join(", ");
    const cluster = new NatsCluster(
      ports.map((own, index) => {
        const name = `server-${index + 1}`;
        return new ClusterServer(
          program,
          name,
          own,
          join(folder, name),
          `${configuration(name, own, routes, join(folder, name))}\n${config}`,
        );
      }),
    );
    try {
      // At once: a server is healthy only when the cluster has a leader.
      await Promise.all(cluster.servers.map((server) => server.start()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /**
   * The running server that leads a stream. Waits for an election.
   * @param {string} stream
   */
  async leaderOf(stream) {
    for (const end = Date.now() + ELECTION_MS; Date.now() < end; await sleep(50)) {
      const running = this.servers.filter((server) => server.isRunning);
      const named = await Promise.all(running.map((server) => server.leaderOf(stream)));
      // During an election, servers name the old leader or none. A server without a replica names none.
      const leader = running.find(({ name }, index) => named[index] === name && named.every((other) => !other || other === name));
      if (leader !== undefined) return leader;
    }
    throw new Error(`The stream "${stream}" has no leader after ${ELECTION_MS} ms:\n${this.log()}`);
  }

  /** The output of every server since its last start. */
  log() {
    return this.servers.map((server) => server.log()).join("\n");
  }

  /** Ends all servers with SIGKILL. */
  async stop() {
    await Promise.all(this.servers.map((server) => server.kill()));
  }
}

/** A server of a cluster. It can be ended and started again. */
export class ClusterServer {
  #program;
  #file;
  #config;
  /** @type {import("./nats-process.mjs").NatsProcess | undefined} the running process, or the last one */
  #process;

  /**
   * @param {string} program
   * @param {string} name
   * @param {Ports} ports
   * @param {string} folder
   * @param {string} config
   */
  constructor(program, name, ports, folder, config) {
    this.#program = program;
    this.#file = `${folder}.conf`;
    this.#config = config;
    this.name = name;
    this.wsUrl = `ws://127.0.0.1:${ports.websocket}`;
    this.tcpUrl = `nats://127.0.0.1:${ports.client}`;
    this.monitorUrl = `http://127.0.0.1:${ports.monitoring}`;
  }

  get isRunning() {
    return this.#process !== undefined && isRunning(this.#process);
  }

  /** Starts the server, with the data that it had. Resolves when it is healthy, for which most servers of the cluster must run. */
  async start() {
    await writeFile(this.#file, this.#config);
    this.#process = spawnNats(this.#program, ["-c", this.#file], { detached: true });
    await untilHealthy(this.#process, this.monitorUrl);
  }

  /** Ends the server with SIGKILL. Resolves when it has ended. */
  async kill() {
    this.#process?.child.kill("SIGKILL");
    await this.ended();
  }

  /**
   * Begins lame-duck mode: the server refuses new connections, gives its streams to the others, closes its connections one after
   * another, and ends.
   */
  lameDuck() {
    this.#process?.child.kill("SIGUSR2");
  }

  /** Resolves when the server has ended. */
  async ended() {
    await this.#process?.gone;
  }

  /** The output since the last start. */
  log() {
    return this.#process?.log() ?? "";
  }

  /**
   * The name of the server that leads a stream, as far as this server knows.
   * @param {string} stream
   * @returns {Promise<string | undefined>}
   */
  async leaderOf(stream) {
    try {
      const response = await fetch(`${this.monitorUrl}/jsz?streams=true`, { signal: AbortSignal.timeout(5000) });
      const { account_details = [] } = /** @type {JetStreamReport} */ (await response.json());
      const found = account_details.flatMap(({ stream_detail = [] }) => stream_detail).find(({ name }) => name === stream);
      return found?.cluster?.leader;
    } catch {
      return undefined; // it ends
    }
  }
}

/**
 * The part of /jsz that is read here.
 * @typedef {{ account_details?: { stream_detail?: { name: string, cluster?: { leader?: string } }[] }[] }} JetStreamReport
 */

/**
 * @param {string} name
 * @param {Ports} ports
 * @param {string} routes
 * @param {string} folder
 */
function configuration(name, { websocket, client, monitoring, routes: own }, routes, folder) {
  return [
    `server_name: "${name}"`,
    `listen: "127.0.0.1:${client}"`,
    `http: "127.0.0.1:${monitoring}"`,
    `websocket { listen: "127.0.0.1:${websocket}", no_tls: true }`,
    `jetstream { store_dir: "${folder}", max_mem: 64M, max_file: 256M }`,
    `cluster { name: "nas-keystore", listen: "127.0.0.1:${own}", routes: [${routes}] }`,
  ].join("\n");
}
