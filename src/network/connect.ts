import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { AttemptSockets } from "./attempt-sockets.ts";
import type { Connection } from "./connection.ts";
import { natsClient, type NatsClient, type SocketFactory } from "./nats-client.ts";
import { NatsConnection } from "./nats-connection.ts";

export interface ConnectOptions {
  readonly clock: Clock;
  readonly servers: readonly string[];
  /** Credentials and other options of the client, as the user gave them. */
  readonly connection: object;
  /** Replaces nats.ws' `connect`. */
  readonly connect: ((options: object) => Promise<unknown>) | undefined;
  /** The client's own limit for one attempt. */
  readonly timeoutMs: number;
}

/** An attempt fails this long after the client's own limit, if the client has not ended it. */
const GRACE_MS = 500;

/** Connects to the first server that answers. @throws Error with the cause, never with credentials */
export async function connectToNats({ clock, servers, connection, timeoutMs, connect }: ConnectOptions): Promise<Connection> {
  const connectClient: (options: object) => Promise<unknown> = connect ?? (await natsClient.load()).connect;
  const sockets = new AttemptSockets(clock, (connection as { wsFactory?: SocketFactory }).wsFactory);
  try {
    const connecting = connectClient({
      ...connection,
      servers: [...servers],
      timeout: timeoutMs,
      // The outbox is the retry. A connection serves the operations in flight only.
      reconnect: false,
      ignoreClusterUpdates: true,
      wsFactory: sockets.open,
    }) as Promise<NatsClient>;
    const client = await withinLimits(clock, timeoutMs + GRACE_MS, connecting, sockets.allClosed);
    return new NatsConnection(clock, client, () => sockets.closeAll(), (connection as { inboxPrefix?: string }).inboxPrefix);
  } catch (error) {
    sockets.closeAll();
    throw describe(error, servers);
  }
}

/** The client, if it connects in time and before all its sockets have closed. A client that connects later is closed. */
async function withinLimits(clock: Clock, ms: number, connecting: Promise<NatsClient>, allClosed: Promise<never>): Promise<NatsClient> {
  const late = (): never => {
    throw new Error(`No connection within ${ms} ms.`);
  };
  try {
    return await Promise.race([within(clock, ms, connecting, late), allClosed]);
  } catch (error) {
    connecting.then((client) => client.close()).catch(() => undefined);
    throw error;
  }
}

/** An error with a message. For a closed port, nats.ws 1.30.3 rejects with a code and the message `undefined`. */
function describe(error: unknown, servers: readonly string[]): Error {
  if (error instanceof Error && Boolean(error.message) && error.message !== "undefined") return error;
  const hosts = servers.map((server) => new URL(server).host).join(", ");
  return new Error(`No NATS server answers at ${hosts}.`, { cause: error });
}
