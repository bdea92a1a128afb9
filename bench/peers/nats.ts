import type { NatsConnection } from "nats.ws";

// Not `import … from`: the library, which loads it when it is first needed, shall find it as in an app.
const nats = import("nats.ws");

const encoder = new TextEncoder();

export async function openNats(servers: string): Promise<NatsConnection> {
  return (await nats).connect({ servers });
}

export async function publishAndFlush(connection: NatsConnection, subject: string, data: string): Promise<void> {
  connection.publish(subject, encoder.encode(data));
  await connection.flush();
}

/** A connection for one message. Resolves when the message is flushed; the closing goes on, as with `oneShot`. */
export async function publishAlone(servers: string, subject: string, data: string): Promise<NatsConnection> {
  // A thousand at once take a minute: nobody gives up before.
  const connection = await (await nats).connect({ servers, timeout: 600_000, reconnect: false });
  await publishAndFlush(connection, subject, data);
  void connection.close();
  return connection;
}
