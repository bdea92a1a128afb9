import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

/**
 * The way to a server, to be cut and mended while the server (and a wire on it) stays: so a test sees everything that
 * was published after a cut, and in which order.
 */
export interface Link {
  readonly wsUrl: string;
  /** Breaks every connection, and refuses new ones. */
  cut(): Promise<void>;
  /** From now on nothing passes, either way, on connections old and new; they stay open. */
  hang(): void;
  /** From now on what the server says does not arrive, while it hears everything. */
  muffle(): void;
  /** Undoes `cut`, `hang` and `muffle`. What was held up passes now. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function openLink(serverUrl: string): Promise<Link> {
  const target = Number(new URL(serverUrl).port);
  const [port = 0] = await freePorts(1);
  const sockets = new Set<Socket>();
  const serverEnds = new Set<Socket>();
  let hanging = false;
  let muffled = false;

  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => {}); // "close" follows
      from.on("close", () => {
        sockets.delete(from);
        // After what has come so far: a server says why before it hangs up.
        to.destroySoon();
      });
      if (hanging) from.pause();
    }
    serverEnds.add(far);
    far.on("close", () => serverEnds.delete(far));
    if (muffled) far.pause();
  });
  const listen = async (): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  await listen();
  return {
    wsUrl: `ws://127.0.0.1:${port}`,
    cut,
    hang: () => {
      hanging = true;
      for (const socket of sockets) socket.pause();
    },
    muffle: () => {
      muffled = true;
      for (const socket of serverEnds) socket.pause();
    },
    mend: async () => {
      hanging = false;
      muffled = false;
      for (const socket of sockets) socket.resume();
      if (!server.listening) await listen();
    },
    close: cut,
  };
}
