import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePorts } from "./ports.ts";
import { webSocketPeer } from "./websocket-peer.ts";

/** The stages of a connection. A fault happens at one of them. */
export const STAGES = [
  "accept", // TCP is connected
  "open", // the WebSocket is open
  "info", // INFO is sent, CONNECT has arrived
  "publish", // connected; a message has arrived
  "flush", // connected; a PING has arrived, not the PING of CONNECT
  "close", // every stage before has succeeded; the client closes
] as const;
export type Stage = (typeof STAGES)[number];

/** The fault at a stage: the server becomes silent, closes TCP, or sends a close frame with a code (not before "open"). */
export interface Fault {
  at: Stage;
  how: "silence" | "hang-up" | number;
}

/** A server that speaks enough WebSocket and NATS to fail at any stage of a connection. */
export interface FaultServer {
  readonly wsUrl: string;
  /** The fault of new connections. Without one, connections are forwarded to the real server. */
  fault: Fault | undefined;
  /** TCP connections that are open now. */
  readonly open: number;
  /** The number of connections that have reached their fault. */
  readonly faults: number;
  /** Resolves when more than `count` connections have reached their fault. */
  faulted(count: number): Promise<void>;
  /** Resolves when no connection is open. */
  idle(): Promise<void>;
  /** Closes the connections that have reached their fault, as the end of a process does. */
  hangUp(): void;
  close(): Promise<void>;
}

const INFO = { server_id: "FAULT", server_name: "fault", version: "2.9.10", proto: 1, headers: true, max_payload: 1_048_576 };

/** @param realUrl the server that receives connections without a fault */
export async function startFaultServer(realUrl: string): Promise<FaultServer> {
  const target = Number(new URL(realUrl).port);
  const [port = 0] = await freePorts(1);
  const sockets = new Set<Socket>();
  const stuck = new Set<Socket>();
  const changes = new EventTarget();
  const changed = (): boolean => changes.dispatchEvent(new Event("change"));
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await once(changes, "change");
  };
  let fault: Fault | undefined;
  let faults = 0;

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      sockets.delete(socket);
      stuck.delete(socket);
      changed();
    });
    if (fault === undefined) relay(socket, target);
    else {
      converse(socket, fault, () => {
        faults++;
        stuck.add(socket);
        changed();
      });
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");

  return {
    wsUrl: `ws://127.0.0.1:${port}`,
    get fault() {
      return fault;
    },
    set fault(next) {
      fault = next;
    },
    get open() {
      return sockets.size;
    },
    get faults() {
      return faults;
    },
    faulted: (count) => until(() => faults > count),
    idle: () => until(() => sockets.size === 0),
    hangUp: () => {
      for (const socket of stuck) socket.destroy();
    },
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function relay(socket: Socket, target: number): void {
  const real = connect({ port: target, host: "127.0.0.1", noDelay: true });
  socket.pipe(real).pipe(socket);
  real.on("error", () => socket.destroy());
  real.on("close", () => socket.destroySoon());
  socket.on("close", () => real.destroy());
}

/** Speaks the protocol correctly until the fault. */
function converse(socket: Socket, { at, how }: Fault, onFault: () => void): void {
  const peer = webSocketPeer(socket);
  let faulty = false;
  /** Whether the connection continues after the stage. */
  const pass = (stage: Stage): boolean => {
    if (faulty || stage !== at) return !faulty;
    faulty = true;
    if (how === "hang-up") socket.destroy();
    else if (typeof how === "number") peer.sendClose(how);
    onFault();
    return false;
  };

  if (!pass("accept")) return;
  peer.onRequest = () => {
    peer.accept();
    if (pass("open")) peer.send(`INFO ${JSON.stringify(INFO)} \r\n`);
  };
  let connected = false;
  const onBytes = natsCommands((verb) => {
    if (verb === "CONNECT") pass("info");
    else if (verb === "PUB" || verb === "HPUB") pass("publish");
    else if (verb === "PING" && (!connected || pass("flush")) && !faulty) {
      connected = true;
      peer.send("PONG\r\n");
    }
  });
  peer.onData = (bytes) => onBytes(bytes);
  peer.onClose = (code) => {
    if (faulty) {
      // The answer to our own close frame, or a close frame that the silent server ignores.
      if (typeof how === "number") socket.end();
    } else if (pass("close")) {
      peer.sendClose(code);
      socket.end();
    } else if (typeof how === "number") socket.end();
  };
}

/** Calls back with the verb of each command of a client when its payload is complete. The bytes may arrive in any pieces. */
function natsCommands(onCommand: (verb: string) => void): (bytes: Buffer) => void {
  let unread = Buffer.alloc(0);
  return (bytes) => {
    unread = Buffer.concat([unread, bytes]);
    for (;;) {
      const end = unread.indexOf("\r\n");
      if (end < 0) return;
      const words = unread.subarray(0, end).toString().split(" ");
      const verb = words[0]!.toUpperCase();
      // "HPUB subject [reply] header-bytes total-bytes": the last is the size of the payload that follows.
      const size = verb === "PUB" || verb === "HPUB" ? end + 2 + Number(words.at(-1)) + 2 : end + 2;
      if (unread.length < size) return;
      unread = unread.subarray(size);
      onCommand(verb);
    }
  };
}
