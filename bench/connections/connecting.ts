import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createUser } from "@nats-io/jwt";
import { makeCertificates } from "../../e2e/support/production/certificates.ts";
import { makeIssuer } from "../../e2e/support/production/jwts.ts";
import { cpuEach, each, hpub, type Row } from "./rows.ts";
import { startMeasured, type Measured, type ServerOptions } from "./server.ts";
import { exchange, type Exchanged, type Wire } from "./socket.ts";

/** bcrypt of "bench" with the cost that `nats server passwd` uses. */
const PASSWORD = "$2a$11$abcdefghijklmnopqrstuusNYVvVLTKpko/RBDbHW0v3TJw/p8i0K";

const PUBLISH = (index: number): string => `${hpub("_kv.bench.key.a", index)}PING\r\n`;

/** What connections cost: opened for one message and closed, and idle. */
export async function connecting(binary: string, scale: number, report: (...rows: Row[]) => void): Promise<void> {
  const count = Math.ceil(4_000 * scale);
  const idle = Math.ceil(4_000 * scale);

  /** A connection for each message. */
  const oneShot = async (name: string, server: Measured, wire: Partial<Wire>, times = count): Promise<void> => {
    let bytes = 0;
    const value = await cpuEach(server, { count: times, parallel: 8 }, async (index) => {
      const open = await exchange({ port: server.websocket, lines: PUBLISH(index), until: /PONG/, ...wire });
      await open.close();
      bytes = open.wireBytes;
    });
    report({ name: `connection, one message, close: ${name}`, value, unit: "µs of CPU", count: times });
    report({ name: `connection, one message, close: ${name}`, value: bytes, unit: "bytes on the wire", count: 1 });
  };
  const idling = async (name: string, server: Measured, wire: Partial<Wire>): Promise<void> => {
    const before = server.residentBytes();
    const open: Exchanged[] = [];
    await each(idle, 8, async (index) => {
      open.push(await exchange({ port: server.websocket, lines: PUBLISH(index), until: /PONG/, ...wire }));
    });
    report({
      name: `idle connection: ${name}`,
      value: (server.residentBytes() - before) / 1024 / idle,
      unit: "KB of memory",
      count: idle,
    });
    await each(idle, 64, (index) => open[index]?.close() ?? Promise.resolve());
  };
  const withServer = async (options: Omit<ServerOptions, "binary">, use: (server: Measured) => Promise<void>): Promise<void> => {
    const server = await startMeasured({ binary, ...options });
    try {
      await use(server);
    } finally {
      await server.stop();
    }
  };

  await withServer({}, (server) => idling("ws", server, {}));
  await withServer({}, async (server) => {
    const kept = await exchange({ port: server.websocket, lines: "PING\r\n", until: /PONG/ });
    const value = await cpuEach(server, { count: count * 4, parallel: 1 }, (index) => kept.ask(PUBLISH(index), /PONG/));
    report({ name: "one message and its PONG on an open connection: ws", value, unit: "µs of CPU", count: count * 4 });
    await kept.close();
    await oneShot("ws", server, {});
  });

  const folder = await mkdtemp(join(tmpdir(), "nas-keystore-connections-tls-"));
  try {
    const { ca, certFile, keyFile } = await makeCertificates(folder);
    const websocket = `tls { cert_file: "${certFile}", key_file: "${keyFile}" }`;
    await withServer({ websocket }, (server) => idling("wss", server, { ca }));
    await withServer({ websocket }, async (server) => {
      await oneShot("wss, new TLS session", server, { ca });
      const first = await exchange({ port: server.websocket, lines: PUBLISH(0), until: /PONG/, ca });
      const { session } = first;
      await first.close();
      if (session) await oneShot("wss, resumed TLS session", server, { ca, session });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  await withServer({ config: `authorization { users: [ { user: u, password: "${PASSWORD}" } ] }` }, (server) =>
    oneShot("ws, password with bcrypt of cost 11", server, { login: { user: "u", pass: "bench" } }, Math.ceil(60 * scale)),
  );
  const issuer = await makeIssuer();
  await withServer({ config: issuer.operatorConf, jetstream: false }, async (server) => {
    const pair = createUser();
    const jwt = await issuer.sign(pair.getPublicKey(), { namespace: "bench", seconds: 3_600, bearer: true });
    await oneShot("ws, JWT (bearer)", server, { login: { jwt } });
  });
}
