import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than a server takes to start on a slow machine, the election of a cluster's leader included. */
const START_MS = 120_000;

/**
 * A process of nats-server. `gone` resolves when it has ended and its output has been read. `log` returns the output.
 * @typedef {{ child: import("node:child_process").ChildProcess, gone: Promise<unknown>, log: () => string }} NatsProcess
 */

// The servers must end with this process, even if it ends without its cleanup.
/** @type {Set<import("node:child_process").ChildProcess>} */
const alive = new Set();
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")));

/**
 * Starts nats-server. Resolves when it is healthy. Rejects with its log if it ends before.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} monitorUrl
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<NatsProcess>}
 */
export async function startNatsProcess(program, args, monitorUrl, options) {
  const server = spawnNats(program, args, options);
  await untilHealthy(server, monitorUrl);
  return server;
}

/**
 * Starts nats-server without waiting for it. `detached`: in its own process group, so that Ctrl-C does not reach it.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, detached?: boolean }} [options]
 * @returns {NatsProcess}
 */
export function spawnNats(program, args, options) {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], ...options });
  alive.add(child);
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => (output += chunk));
  // Not "exit": the last output must have been read.
  const gone = once(child, "close")
    .catch((error) => (output += String(error))) // the program cannot be started
    .finally(() => alive.delete(child));
  return { child, gone, log: () => output };
}

/**
 * Resolves when a server is healthy: all of its listeners accept connections, and in a cluster its streams are up to date. A server
 * that is not healthy in time is ended; then, and if it ends itself, rejects with its log. A health check is not counted as a connection.
 * @param {NatsProcess} server
 * @param {string} monitorUrl
 */
export async function untilHealthy(server, monitorUrl) {
  for (const end = Date.now() + START_MS; Date.now() < end && isRunning(server); await sleep(20)) {
    const response = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
    if (response?.ok) return;
  }
  const problem = isRunning(server) ? `nats-server is not healthy after ${START_MS} ms` : "nats-server ended at its start";
  server.child.kill("SIGKILL");
  await server.gone;
  throw new Error(`${problem}:\n${server.log()}`);
}

/** @param {NatsProcess} server */
export function isRunning({ child }) {
  return child.exitCode === null && child.signalCode === null;
}
