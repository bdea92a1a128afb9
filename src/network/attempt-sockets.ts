import type { Clock } from "../util/clock.ts";
import type { SocketFactory } from "./nats-client.ts";

/** After a socket closes, a client reports its own error or opens another socket within this time. */
const CLIENT_REACTS_MS = 50;

/** The sockets that a client opens in one attempt to connect. nats.ws 1.30.3 leaves a socket open when it gives up on it. */
export class AttemptSockets {
  readonly #sockets: WebSocket[] = [];
  #isOver = false;
  /** Opens a socket: the client's `wsFactory`. */
  readonly open: SocketFactory;
  /** Rejects when the last socket has closed and the client opens no other. nats.ws 1.30.3 misses that until it is connected. */
  readonly allClosed: Promise<never>;

  constructor(clock: Clock, factory: SocketFactory = openWebSocket) {
    let reject!: (error: Error) => void;
    this.allClosed = new Promise((_, rejectPromise) => (reject = rejectPromise));
    this.allClosed.catch(() => undefined);
    this.open = async (url, options) => {
      // The user's `connect` may come here late: meanwhile another attempt may have begun.
      if (this.#isOver) throw new Error("This attempt to connect is over.");
      const opened = await factory(url, options);
      const { socket } = opened;
      closeWithCode1000(socket);
      this.#sockets.push(socket);
      if (this.#isOver) this.closeAll();
      socket.addEventListener("close", () => {
        clock.setTimer(() => {
          if (this.#sockets.at(-1) === socket) reject(new Error("The server closed the connection before it was established."));
        }, CLIENT_REACTS_MS);
      });
      return opened;
    };
  }

  /** Closes every socket, also one whose handshake is under way: browsers make the next handshake with its host wait for it. */
  closeAll(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.close();
  }
}

const openWebSocket: SocketFactory = async (url) => ({ socket: new WebSocket(url), encrypted: url.startsWith("wss:") });

/**
 * Makes `close()` send the code 1000. Without a code, nats-server 2.9 answers with a broken frame, and Chromium logs an error.
 * The code that nats.ws passes after an error makes browsers throw, which leaves the socket open.
 */
function closeWithCode1000(socket: WebSocket): void {
  const close = socket.close.bind(socket);
  socket.close = () => close(1000);
}
