import type { Measured } from "./server.ts";

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: "µs of CPU" | "KB of memory" | "bytes of memory" | "bytes on the disk" | "bytes on the wire";
  readonly count: number;
}

/** CPU time of the servers for each run of `work`, of which `parallel` run at once. A tenth runs before, unmeasured. */
export async function cpuEach(
  server: Measured,
  { count, parallel }: { count: number; parallel: number },
  work: (index: number, worker: number) => Promise<unknown>,
): Promise<number> {
  await each(Math.ceil(count / 10), parallel, (index, worker) => work(count + index, worker));
  const before = server.cpuUs();
  await each(count, parallel, work);
  return (server.cpuUs() - before) / count;
}

/** Runs `work` with 0, 1 … count - 1, `parallel` of them at once, each in one of as many workers. */
export async function each(count: number, parallel: number, work: (index: number, worker: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const run = async (worker: number): Promise<void> => {
    while (next < count) await work(next++, worker);
  };
  await Promise.all(Array.from({ length: parallel }, (_, worker) => run(worker)));
}

/** About as long as the message of an entry with a value of 100 characters. */
export const MESSAGE = JSON.stringify({
  operation: "store",
  key: "user:123",
  value: JSON.stringify({ name: "x".repeat(88) }),
  metadata: {
    format: "json",
    ttl: null,
    tags: [],
    checksum: "0".repeat(64),
    created_at: "2026-11-28T12:00:00.000Z",
    updated_at: "2026-11-28T12:00:00.000Z",
    version: 1,
    size: 100,
    origin: "0".repeat(32),
  },
});

/** HPUB of a message, with the headers of a durable store. */
export function hpub(subject: string, index: number, { reply = "", id = true } = {}): string {
  const msgId = id ? `Nats-Msg-Id: 0123456789abcdef0123456789abcdef.0.${index}\r\n` : "";
  const headers = `NATS/1.0\r\n${msgId}Nas-Base: 0\r\n\r\n`;
  return `HPUB ${subject} ${reply} ${headers.length} ${headers.length + MESSAGE.length}\r\n${headers}${MESSAGE}\r\n`;
}
