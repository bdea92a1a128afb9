import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

/** "up" is to the server, "down" to the browser. */
export type Direction = "up" | "down";

export interface Cut {
  direction: Direction;
  /** The number of bytes that pass in this direction before the cut. */
  after: number;
  /** How the connection ends: closed by TCP, reset, or not at all (it stays open without data). */
  how: "end" | "reset" | "stall";
}

/** The bytes of one connection. */
export interface Exchange {
  readonly up: Buffer;
  readonly down: Buffer;
  /** False if the connection ended before the cut. */
  readonly wasCut: boolean;
}

/** A proxy in front of a server. It cuts a connection after an exact number of bytes. */
export interface Cutter {
  readonly wsUrl: string;
  /** Cuts the next connection as described. Later ones are refused until `mend`. */
  cutNext(cut: Cut): void;
  mend(): void;
  /** Every connection so far, oldest first. */
  readonly exchanges: readonly Exchange[];
  /** Breaks all connections immediately. */
  close(): Promise<void>;
}

export async function openCutter(serverUrl: string): Promise<Cutter> {
  const target = Number(new URL(serverUrl).port);
  const [port = 0] = await freePorts(1);
  const sockets = new Set<Socket>();
  const exchanges: Recording[] = [];
  let next: Cut | undefined;
  let refusing = false;

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    sockets.add(near);
    near.on("error", () => {}); // "close" follows
    const cut = next;
    next = undefined;
    if (cut === undefined && refusing) near.destroy();
    else pass(near, cut);
  });
  const pass = (near: Socket, cut: Cut | undefined): void => {
    const far = connect({ port: target, host: "127.0.0.1", noDelay: true });
    const recording = new Recording();
    exchanges.push(recording);
    for (const [direction, from, to] of [
      ["up", near, far],
      ["down", far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {}); // "close" follows
      from.on("close", () => {
        sockets.delete(from);
        if (!(recording.wasCut && cut?.how === "stall")) to.destroySoon();
      });
      from.on("data", (bytes: Buffer) => {
        if (recording.wasCut) return;
        const left = cut?.direction === direction ? cut.after - recording[direction].length : Infinity;
        const passing = bytes.subarray(0, left);
        recording.add(direction, passing);
        if (bytes.length < left) to.write(passing);
        else {
          // The cut comes with the last byte that passes. The bytes after it must have no effect.
          recording.wasCut = true;
          to.write(passing, () => end(cut!.how, near, far));
        }
      });
    }
    near.resume();
  };
  server.listen(port, "127.0.0.1");
  await once(server, "listening");

  return {
    wsUrl: `ws://127.0.0.1:${port}`,
    cutNext: (cut) => {
      next = cut;
      refusing = true;
    },
    mend: () => {
      next = undefined;
      refusing = false;
    },
    exchanges,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function end(how: Cut["how"], near: Socket, far: Socket): void {
  if (how === "stall") return;
  for (const socket of [near, far]) {
    if (how === "reset") socket.resetAndDestroy();
    else socket.destroySoon();
  }
}

class Recording implements Exchange {
  readonly #chunks: Record<Direction, Buffer[]> = { up: [], down: [] };
  wasCut = false;

  add(direction: Direction, bytes: Buffer): void {
    this.#chunks[direction] = [Buffer.concat([...this.#chunks[direction], bytes])];
  }

  get up(): Buffer {
    return this.#chunks.up[0] ?? Buffer.alloc(0);
  }

  get down(): Buffer {
    return this.#chunks.down[0] ?? Buffer.alloc(0);
  }
}
