import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export const REPLY = "<inbox>";

export interface Wire {
  readonly port: number;
  /** The certificate authority, for wss. */
  readonly ca?: string;
  /** A TLS session to resume. */
  readonly session?: Buffer;
  /** Fields of CONNECT: user, pass, jwt … */
  readonly login?: Readonly<Record<string, string>>;
  /** Lines after CONNECT. `REPLY` in them stands for the inbox of this connection. */
  readonly lines: string;
  /** The text at which the exchange is complete. */
  readonly until: RegExp;
}

/**
 * A WebSocket to nats-server with nothing else: as cheap as a client can be, so that the server is what limits.
 * Resolves when the server has sent `until`.
 */
export async function exchange({ port, ca, session, login = {}, lines, until }: Wire): Promise<Exchanged> {
  const tcp = connectTcp(port, "127.0.0.1");
  const socket = ca === undefined ? tcp : connectTls({ socket: tcp, ca, ALPNProtocols: ["http/1.1"], ...(session && { session }) });
  tcp.setNoDelay(true);
  const exchanged = new Exchanged(socket, tcp);
  await once(socket, ca === undefined ? "connect" : "secureConnect");
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bmFzLWtleXN0b3JlIG5vdw==\r\n\r\n`,
  );
  await exchanged.until(/INFO /);
  const options = {
    verbose: false,
    pedantic: false,
    protocol: 1,
    headers: true,
    no_responders: true,
    lang: "bench",
    version: "1",
    ...login,
  };
  await exchanged.ask(`CONNECT ${JSON.stringify(options)}\r\n${lines}`, until);
  return exchanged;
}

/** An open WebSocket. */
export class Exchanged {
  session: Buffer | undefined;
  readonly #inbox = `_INBOX.${randomUUID()}`;
  readonly #socket: Socket;
  readonly #tcp: Socket;
  #received = "";
  #arrived: () => void = () => undefined;
  #ended: Error | undefined;

  constructor(socket: Socket, tcp: Socket) {
    this.#socket = socket;
    this.#tcp = tcp;
    const end = (error: Error): void => {
      this.#ended ??= error;
      this.#arrived();
    };
    socket.on("data", (data) => {
      this.#received += data.toString("latin1");
      this.#arrived();
    });
    socket.on("session", (session: Buffer) => (this.session = session));
    socket.on("error", end);
    socket.on("close", () => end(new Error(`The server closed the connection: ${this.#received.slice(-300)}`)));
  }

  /** Resolves to the text that `until` has matched. */
  async ask(lines: string, until: RegExp): Promise<string> {
    this.#received = "";
    this.#socket.write(frame(2, Buffer.from(lines.replaceAll(REPLY, this.#inbox))));
    return this.until(until);
  }

  async until(text: RegExp): Promise<string> {
    for (;;) {
      const [found] = text.exec(this.#received) ?? [];
      if (found !== undefined) return found;
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  /** Bytes in both directions, without the headers of TCP and IP. */
  get wireBytes(): number {
    return this.#tcp.bytesRead + this.#tcp.bytesWritten;
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.end(frame(8, Buffer.from([0x03, 0xe8]))); // 1000: normal closure
    await closed;
  }
}

/** A frame of a client. The mask is zero, which leaves the payload as it is. */
function frame(opcode: number, payload: Buffer): Buffer {
  const length = payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), payload]);
}
