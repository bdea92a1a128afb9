import { request } from "node:http";
import { createServer } from "node:net";

const HOST = "127.0.0.1";

/**
 * Whether a port of loopback is free.
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

/**
 * The first free port, from the given one upwards.
 * @param {number} port
 * @returns {Promise<number>}
 */
export async function firstFree(port) {
  return (await isFree(port)) ? port : firstFree(port + 1);
}

/**
 * Whether the WebSocket of a NATS server listens on this port: only a NATS server greets with INFO.
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function speaksNats(port) {
  return new Promise((resolve) => {
    const upgrade = request({
      host: HOST,
      port,
      timeout: 2000,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": Buffer.from("nas-keystore now").toString("base64"), // any 16 bytes
      },
    });
    const answer = (/** @type {boolean} */ yes) => {
      upgrade.destroy();
      resolve(yes);
    };
    upgrade.on("upgrade", (_response, socket, head) => {
      const seen = (/** @type {Buffer} */ bytes) => bytes.includes("INFO ");
      if (seen(head)) return answer(true);
      socket.once("data", (bytes) => answer(seen(bytes)));
      socket.setTimeout(2000, () => answer(false));
    });
    upgrade.on("response", () => answer(false));
    upgrade.on("timeout", () => answer(false));
    upgrade.on("error", () => answer(false));
    upgrade.end();
  });
}
