import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { AttemptSockets } from "./attempt-sockets.ts";
import type { Connection } from "./connection.ts";
import { natsClient, type NatsClient, type SocketFactory } from "./nats-client.ts";
import { NatsConnection } from "./nats-connection.ts";

export interface ConnectOptions {
  readonly clock: Clock;
  readonly server: string;
  /** Credentials and other options of the client, as the user gave them. */
  readonly connection: object;
  /** Replaces nats.ws' `connect`. */
  readonly connect: ((options: object) => Promise<unknown>) | undefined;
  /** The limit for this attempt. */
  readonly timeoutMs: number;
  /** Called when the server asks to leave or the connection fails. */
  readonly onFailing: () => void;
}

/** An attempt to connect took longer than its limit. */
export class OutOfTimeError extends Error {}

/** Connects to one server. @throws OutOfTimeError, or Error with the cause, never with credentials */
export async function connectToNats({ clock, server, connection, timeoutMs, connect, onFailing }: ConnectOptions): Promise<Connection> {
  const connectClient: (options: object) => Promise<unknown> = connect ?? (await natsClient.load()).connect;
  const sockets = new AttemptSockets(clock, (connection as { wsFactory?: SocketFactory }).wsFactory);
  try {
    const connecting = connectClient({
      ...connection,
      servers: [server],
      timeout: timeoutMs,
      // The outbox is the retry. A connection serves the operations in flight only.
      reconnect: false,
      ignoreClusterUpdates: true,
      wsFactory: sockets.open,
    }) as Promise<NatsClient>;
    // This limit ends before the client's own one, which begins later.
    const client = await withinLimits(clock, timeoutMs, connecting, sockets.allClosed);
    const { inboxPrefix } = connection as { inboxPrefix?: string };
    return new NatsConnection(clock, client, () => sockets.closeAll(), onFailing, inboxPrefix);
  } catch (error) {
    sockets.closeAll();
    throw describe(error, server);
  }
}

/** The client, if it connects in time and before all its sockets have closed. A client that connects later is closed. */
async function withinLimits(clock: Clock, ms: number, connecting: Promise<NatsClient>, allClosed: Promise<never>): Promise<NatsClient> {
  const late = (): never => {
    throw new OutOfTimeError(`No connection within ${ms} ms.`);
  };
  try {
    return await Promise.race([within(clock, ms, connecting, late), allClosed]);
  } catch (error) {
    connecting.then((client) => client.close()).catch(() => undefined);
    throw error;
  }
}

/** An error with a message. For a closed port, nats.ws 1.30.3 rejects with a code and the message `undefined`. */
function describe(error: unknown, server: string): Error {
  if (error instanceof Error && Boolean(error.message) && error.message !== "undefined") return error;
  return new Error(`No NATS server answers at ${new URL(server).host}.`, { cause: error });
}
