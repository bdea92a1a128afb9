// Starts a cluster of three nats-servers with JetStream on loopback, without containers, for trying out durable mode. Prints what to put
// into the option `servers`. Ends the servers and removes their data on Ctrl-C.
// `npm run cluster -- 9331` uses this port and the next 32.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NatsCluster } from "./lib/nats-cluster.mjs";
import { ensureNatsServers, howToGetAServer } from "./lib/nats-server.mjs";
import { isFree } from "./lib/ports.mjs";
import { onAskedToEnd } from "./lib/signals.mjs";

const first = Number(process.argv[2] ?? 9231);
const ports = [0, 1, 2].map((n) => ({ websocket: first + n, client: first + 10 + n, monitoring: first + 20 + n, routes: first + 30 + n }));

const newest = (await ensureNatsServers()).at(-1) ?? fail(`nats-server was not found: ${howToGetAServer}`);
for (const port of ports.flatMap((own) => Object.values(own))) {
  if (!(await isFree(port))) fail(`Port ${port} is in use. Choose other ports: npm run cluster -- ${first + 100}`);
}

const folder = await mkdtemp(join(tmpdir(), "nas-keystore-cluster-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const stopListening = onAskedToEnd(() => process.exit(1));
console.log(`Starting three servers of nats-server ${newest.version}. They elect a leader first, which takes seconds.`);
const cluster = await NatsCluster.start({ program: newest.program, folder, ports }).catch((error) => fail(error.message));
stopListening();
onAskedToEnd(() => void cluster.stop().then(() => process.exit(0)));

console.log(`
${cluster.servers.map(({ name, wsUrl, tcpUrl, monitorUrl }) => `  ${name}  ${wsUrl}  client ${tcpUrl}  monitoring ${monitorUrl}`).join("\n")}

  new NASKeyStore({
    servers: [${cluster.servers.map(({ wsUrl }) => `"${wsUrl}"`).join(", ")}],
    durable: { replicas: 3 },
  });

  1, 2 or 3 and Enter kills that server, and starts it again.
  Ctrl-C ends all three and removes their data.
`);
createInterface({ input: process.stdin }).on("line", (line) => void killOrStart(line));

/** @param {string} line */
async function killOrStart(line) {
  const server = cluster.servers[Number(line) - 1];
  if (server === undefined) return;
  try {
    await (server.isRunning ? server.kill() : server.start());
    console.log(`${server.name} ${server.isRunning ? "runs" : "has ended"}`);
  } catch (error) {
    console.error(String(error));
  }
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(message);
  process.exit(1);
}
