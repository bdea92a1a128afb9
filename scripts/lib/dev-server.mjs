import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureNatsServer, howToGetAServer } from "./nats-server.mjs";
import { firstFree, isFree, speaksNats } from "./ports.mjs";
import { root } from "./root.mjs";
import { onAskedToEnd } from "./signals.mjs";

const WEBSOCKET = 9222;
const CLIENT = 4222;
const MONITORING = 8222;
const WITHOUT = "The demo runs without: what it writes is queued, and published once a server answers.";

/**
 * The server beside the demo: `lines` say what to tell its user, `stop` ends what we started (and nothing else).
 * @typedef {{ lines: string[], stop: () => Promise<void> }} DevServer
 */

/**
 * Uses the server that listens already, or starts one with the project's nats-server.conf, or says how to get one.
 * @returns {Promise<DevServer>}
 */
export async function startDevServer() {
  if (!(await isFree(WEBSOCKET))) return notOurs(...(await describeListener()));

  const binary = await ensureNatsServer();
  if (binary === undefined) return notOurs("none was found, and none could be installed:", howToGetAServer, WITHOUT);

  const ports = { client: await firstFree(CLIENT), monitoring: await firstFree(MONITORING) };
  const args = ["-c", "nats-server.conf", "-p", String(ports.client), "-m", String(ports.monitoring)];
  // A process group of its own: Ctrl-C must reach us only, so that we end it and know that we did.
  const child = spawn(binary, args, { cwd: root, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const log = tail(child.stderr);
  const ended = once(child, "exit").catch((error) => [String(error)]);
  const kill = () => void child.kill();
  process.on("exit", kill); // the last resort, should we end by an error of our own

  const stopListening = onAskedToEnd(() => process.exit(1));
  const started = await listens(ended);
  stopListening();
  if (!started) {
    kill();
    return notOurs(`${binary} did not start:`, log(), WITHOUT);
  }

  let stopping = false;
  void ended.then(([how]) => {
    process.off("exit", kill);
    if (!stopping) console.error(`\nnats-server has ended (${how}). ${WITHOUT}\n${log()}`);
  });
  return {
    lines: [
      `ws://127.0.0.1:${WEBSOCKET}`,
      `client nats://127.0.0.1:${ports.client}, monitoring http://127.0.0.1:${ports.monitoring}`,
      ...taken(CLIENT, ports.client),
      ...taken(MONITORING, ports.monitoring),
    ],
    stop: async () => {
      stopping = true;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * @param {string[]} lines
 * @returns {DevServer}
 */
function notOurs(...lines) {
  return { lines, stop: async () => {} };
}

async function describeListener() {
  if (await speaksNats(WEBSOCKET)) return [`ws://127.0.0.1:${WEBSOCKET}`, "was running already: it is used, and left running"];
  return [
    `none: port ${WEBSOCKET} is taken by something that is no NATS server (Chrome's remote debugging likes that port).`,
    "End that, then start again.",
    WITHOUT,
  ];
}

/**
 * @param {number} wanted
 * @param {number} used
 */
function taken(wanted, used) {
  if (wanted === used) return [];
  return [
    `port ${wanted} is taken by another program, so it listens on ${used} instead. To have ${wanted}, end that program first` +
      (wanted === CLIENT ? " (Debian starts a nats-server of its own: sudo systemctl disable --now nats-server)" : ""),
  ];
}

/**
 * Whether the server comes to listen; false when it ends first, or takes too long.
 * @param {Promise<unknown>} ended
 */
async function listens(ended) {
  const over = ended.then(() => true);
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await speaksNats(WEBSOCKET)) return true;
    if (await Promise.race([over, sleep(100, false)])) return false;
  }
  return false;
}

/**
 * Keeps the last lines that a stream carried.
 * @param {import("node:stream").Readable} stream
 */
function tail(stream) {
  let text = "";
  stream.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => (text = (text + chunk).slice(-2000)));
  return () => text.trimEnd();
}
