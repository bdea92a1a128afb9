import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

/**
 * A proxy in front of a server. A test cuts and mends it while the server and its wire stay connected, so that the test sees
 * every message that is published after a cut, in order.
 */
export interface Link {
  readonly wsUrl: string;
  /** Breaks every connection, and refuses new ones. */
  cut(): Promise<void>;
  /** Delays all data in both directions, on existing and new connections. They stay open. */
  hang(): void;
  /** Delays all data from the server. Data to the server passes. */
  muffle(): void;
  /** Ends `cut`, `hang` and `muffle`. Delayed data is delivered now. */
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
        // After all data received so far: a server sends the reason before it closes.
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
