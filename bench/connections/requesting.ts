import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "nats";
import { cpuEach, each, hpub, type Row } from "./rows.ts";
import { startMeasured, type Measured, type ServerOptions } from "./server.ts";
import { exchange, REPLY, type Exchanged } from "./socket.ts";

const STREAM = "NAS_bench";
const PARALLEL = 8;
/** The server keeps blocks that it has written in memory for some seconds. */
const CACHED_MS = 12_000;
/** Of messages in one WebSocket frame. */
const BATCH = 64;
const CHANGES = 100;

const END = /NATS\/1\.0 (?:204|404|408|503)/;

/** What the requests of durable mode cost, on one server and on three. */
export async function requesting(binary: string, scale: number, report: (...rows: Row[]) => void): Promise<void> {
  const count = Math.ceil(10_000 * scale);
  const keys = Math.ceil(100_000 * scale);
  const withStream = async (options: Partial<ServerOptions>, use: (server: Measured, version: string) => Promise<Row[]>): Promise<void> => {
    const server = await startMeasured({ binary, ...options });
    try {
      const version = await createStream(server, STREAM, options.cluster === true ? 3 : 1);
      report(...(await use(server, version)));
    } finally {
      await server.stop();
    }
  };
  await withStream({}, async (server, version) => [
    ...(await storage(server, keys)),
    ...(await reads(server, version, keys, Math.ceil(2_000 * scale))),
  ]);
  await withStream({}, async (server) => [
    ...(await writes(server, count, "one server")),
    ...(await streams(server, Math.ceil(200 * scale), 1, "one server")),
  ]);
  await withStream({ cluster: true }, async (server) => [
    ...(await writes(server, count, "three servers together, R3")),
    ...(await streams(server, Math.ceil(200 * scale), 3, "three servers together, R3")),
    await pull(server, "consumer, nothing new, R3", Math.ceil(500 * scale), (socket) => consume(socket, count * 10)),
  ]);
}

/** Resolves to the version of the server. */
async function createStream(server: Measured, name: string, replicas: number): Promise<string> {
  const client = await connect({ servers: `127.0.0.1:${server.client}` });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const manager = await client.jetstreamManager();
        await manager.streams.add({
          name,
          subjects: [`_kv.${name.slice("NAS_".length)}.key.>`],
          max_msgs_per_subject: 1,
          allow_direct: true,
          num_replicas: replicas,
        });
        return client.info?.version ?? "";
      } catch (error) {
        if (attempt === 60) throw error; // a new cluster elects its leader first
        await sleep(500);
      }
    }
  } finally {
    await client.close();
  }
}

async function writes(server: Measured, count: number, where: string): Promise<Row[]> {
  const subject = (index: number): string => `_kv.bench.key.${index % 1_000}`;
  const open = await onOpenConnections(server, count, (socket, index) =>
    socket.ask(hpub(subject(index), index, { reply: REPLY }), /"seq"/),
  );
  const own = await cpuEach(server, { count, parallel: PARALLEL }, async (index) => {
    const lines = `SUB ${REPLY} 1\r\n${hpub(subject(index), count * 2 + index, { reply: REPLY })}`;
    await (await exchange({ port: server.websocket, lines, until: /"seq"/ })).close();
  });
  return [
    { name: `durable write on an open connection: ${where}`, value: open, unit: "µs of CPU", count },
    { name: `connection, one durable write, close: ${where}`, value: own, unit: "µs of CPU", count },
  ];
}

/** What streams without messages cost. */
async function streams(server: Measured, count: number, replicas: number, where: string): Promise<Row[]> {
  const memory = server.residentBytes();
  const disk = server.diskBytes();
  await each(count, 1, async (index) => void (await createStream(server, `NAS_empty${index}`, replicas)));
  const name = `an empty stream: ${where}`;
  return [
    { name, value: (server.residentBytes() - memory) / 1024 / count, unit: "KB of memory", count },
    { name, value: (server.diskBytes() - disk) / count, unit: "bytes on the disk", count },
  ];
}

/** What keys cost that are stored once, and the ids of the duplicate window. Leaves `keys` messages in the stream. */
async function storage(server: Measured, keys: number): Promise<Row[]> {
  const socket = await inbox(server);
  const fill = async (id: boolean): Promise<void> => {
    for (let first = 0; first < keys; first += BATCH) {
      const indices = Array.from({ length: Math.min(BATCH, keys - first) }, (_, more) => first + more);
      const last = indices.at(-1);
      const lines = indices.map((index) => hpub(`_kv.bench.key.user:${index}`, index, { id, reply: index === last ? REPLY : "" }));
      await socket.ask(lines.join(""), /"seq"/);
    }
    await sleep(CACHED_MS);
  };
  const disk = server.diskBytes();
  const empty = await server.heapBytes();
  await fill(false);
  const filled = await server.heapBytes();
  const onDisk = (server.diskBytes() - disk) / keys;
  await fill(true);
  const withIds = await server.heapBytes();
  await socket.close();
  return [
    { name: "a key in a stream", value: onDisk, unit: "bytes on the disk", count: keys },
    { name: "a key in a stream", value: (filled - empty) / keys, unit: "bytes of memory", count: keys },
    { name: "an id in the duplicate window", value: (withIds - filled) / keys, unit: "bytes of memory", count: keys },
  ];
}

/** Reads of a stream whose newest message has the sequence number 2 × `keys`. */
async function reads(server: Measured, version: string, keys: number, count: number): Promise<Row[]> {
  const newest = keys * 2;
  const get = (index: number): string => JSON.stringify({ last_by_subj: `_kv.bench.key.user:${index % keys}` });
  const row = (name: string, value: number): Row => ({ name: `${name} on an open connection`, value, unit: "µs of CPU", count });
  const rows = [
    row(
      "STREAM.INFO, all of a pull without changes,",
      await onOpenConnections(server, count, (socket) => socket.ask(request("STREAM.INFO", ""), /"created"/)),
    ),
    row(
      "one key, STREAM.MSG.GET",
      await onOpenConnections(server, count, (socket, index) => socket.ask(request("STREAM.MSG.GET", get(index)), /"message"/)),
    ),
    row(
      "one key, DIRECT.GET",
      await onOpenConnections(server, count, (socket, index) => socket.ask(request("DIRECT.GET", get(index)), /Nats-Sequence/)),
    ),
    await pull(server, "consumer, nothing new", count, (socket) => consume(socket, newest + 1)),
    await pull(server, `consumer, ${CHANGES} changes`, count, (socket) => consume(socket, newest - CHANGES + 1)),
  ];
  if (!hasBatchedGet(version)) return rows;
  const batch = (seq: number): string => JSON.stringify({ seq, batch: 1_000, next_by_subj: "_kv.bench.key.>" });
  return [
    ...rows,
    await pull(server, "DIRECT.GET, nothing new", count, (socket) => socket.ask(request("DIRECT.GET", batch(newest + 1)), END)),
    await pull(server, `DIRECT.GET, ${CHANGES} changes`, count, (socket) =>
      socket.ask(request("DIRECT.GET", batch(newest - CHANGES + 1)), END),
    ),
  ];
}

async function pull(server: Measured, way: string, count: number, work: (socket: Exchanged) => Promise<unknown>): Promise<Row> {
  return { name: `pull on an open connection: ${way}`, value: await onOpenConnections(server, count, work), unit: "µs of CPU", count };
}

/** Creates a consumer, asks for a batch, deletes the consumer. */
async function consume(socket: Exchanged, from: number): Promise<void> {
  const name = randomUUID();
  const config = {
    ack_policy: "none",
    deliver_policy: "by_start_sequence",
    opt_start_seq: from,
    inactive_threshold: 30_000_000_000,
    mem_storage: true,
    num_replicas: 1,
    filter_subject: "_kv.bench.key.>",
    name,
  };
  await socket.ask(
    request("CONSUMER.CREATE", JSON.stringify({ stream_name: STREAM, config }), `.${name}._kv.bench.key.>`),
    /"num_pending"/,
  );
  // In a cluster, another server may not know a new consumer yet: 503.
  while (
    (await socket.ask(request("CONSUMER.MSG.NEXT", JSON.stringify({ batch: 1_000, no_wait: true }), `.${name}`), END)).endsWith("503")
  );
  await socket.ask(request("CONSUMER.DELETE", "", `.${name}`), /"success"/);
}

function request(what: string, body: string, more = ""): string {
  return `PUB $JS.API.${what}.${STREAM}${more} ${REPLY} ${body.length}\r\n${body}\r\n`;
}

async function onOpenConnections(
  server: Measured,
  count: number,
  work: (socket: Exchanged, index: number) => Promise<unknown>,
): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: PARALLEL }, () => inbox(server)));
  const value = await cpuEach(server, { count, parallel: PARALLEL }, (index, worker) => work(sockets[worker] as Exchanged, index));
  await each(PARALLEL, PARALLEL, (index) => (sockets[index] as Exchanged).close());
  return value;
}

function inbox(server: Measured): Promise<Exchanged> {
  return exchange({ port: server.websocket, lines: `SUB ${REPLY} 1\r\nPING\r\n`, until: /PONG/ });
}

function hasBatchedGet(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 11);
}
