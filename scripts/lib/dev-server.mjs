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
const WITHOUT = "The demo runs without a server: its writes are queued and published when a server answers.";

/**
 * The server for the demo: `lines` are for the user. `stop` ends the server if this process has started it (`isOurs`).
 * @typedef {{ lines: string[], isOurs: boolean, stop: () => Promise<void> }} DevServer
 */

/**
 * Uses a server that already listens, or starts one with the project's nats-server.conf, or explains how to install one.
 * @returns {Promise<DevServer>}
 */
export async function startDevServer() {
  if (!(await isFree(WEBSOCKET))) return notOurs(...(await describeListener()));

  const binary = await ensureNatsServer();
  if (binary === undefined) return notOurs("not found, and it could not be installed:", howToGetAServer, WITHOUT);

  const ports = { client: await firstFree(CLIENT), monitoring: await firstFree(MONITORING) };
  const args = ["-c", "nats-server.conf", "-p", String(ports.client), "-m", String(ports.monitoring)];
  // In its own process group, so that Ctrl-C reaches only this process, which then ends the server.
  const child = spawn(binary, args, { cwd: root, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const log = tail(child.stderr);
  const ended = once(child, "exit").catch((error) => [String(error)]);
  const kill = () => void child.kill();
  process.on("exit", kill); // the last resort, if this process ends with an error

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
    isOurs: true,
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
  return { lines, isOurs: false, stop: async () => {} };
}

async function describeListener() {
  if (await speaksNats(WEBSOCKET)) return [`ws://127.0.0.1:${WEBSOCKET}`, "was running already. The demo uses it and leaves it running"];
  return [
    `none: another program uses port ${WEBSOCKET} (Chrome's remote debugging uses this port by default).`,
    "End that program, then start again.",
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
    `Another program uses port ${wanted}, so the server listens on ${used}. To use ${wanted}, end that program first` +
      (wanted === CLIENT ? " (Debian starts a nats-server of its own: sudo systemctl disable --now nats-server)" : ""),
  ];
}

/**
 * Whether the server begins to listen; false if it ends first or takes too long.
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
 * Keeps the last lines of a stream.
 * @param {import("node:stream").Readable} stream
 */
function tail(stream) {
  let text = "";
  stream.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => (text = (text + chunk).slice(-2000)));
  return () => text.trimEnd();
}
