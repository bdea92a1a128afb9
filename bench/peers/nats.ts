import type { NatsConnection } from "nats.ws";

// Not `import … from`: the library loads nats.ws lazily, and must find it as in an app.
const nats = import("nats.ws");

const encoder = new TextEncoder();

export async function openNats(servers: string): Promise<NatsConnection> {
  return (await nats).connect({ servers });
}

export async function publishAndFlush(connection: NatsConnection, subject: string, data: string): Promise<void> {
  connection.publish(subject, encoder.encode(data));
  await connection.flush();
}

/** Publishes one message on its own connection. Resolves when it is flushed, before the connection is closed, like `oneShot`. */
export async function publishAlone(servers: string, subject: string, data: string): Promise<NatsConnection> {
  // A thousand at once take a minute. None may time out before.
  const connection = await (await nats).connect({ servers, timeout: 600_000, reconnect: false });
  await publishAndFlush(connection, subject, data);
  void connection.close();
  return connection;
}
