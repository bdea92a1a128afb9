import { connect, headers, type JetStreamManager, type NatsConnection } from "nats";
import { readStream } from "../../e2e/support/stream.ts";
import type { JetStream, StreamDescription } from "../environment.ts";

/** JetStream for one case. Connects with the first call. `dispose` deletes the streams of the case's namespace. */
export function jetStreamOf(tcpUrl: string, namespace: string): JetStream & { dispose: () => Promise<void> } {
  let opening: Promise<{ connection: NatsConnection; manager: JetStreamManager }> | undefined;
  const open = async () => {
    const connection = await connect({ servers: tcpUrl });
    return { connection, manager: await connection.jetstreamManager() };
  };
  const opened = () => (opening ??= open());
  const streams = async (): Promise<StreamDescription[]> => {
    const { manager } = await opened();
    const found: StreamDescription[] = [];
    for await (const { config, state } of manager.streams.list(`_kv.${namespace}.>`)) found.push({ config: { ...config }, state });
    return found;
  };
  return {
    serverVersion: async () => (await opened()).connection.info?.version ?? "",
    createStream: async (settings) => void (await (await opened()).manager.streams.add(settings)),
    deleteStream: async (name) => void (await (await opened()).manager.streams.delete(name)),
    streams,
    publish: async (subject, data, fields = {}) => {
      const header = headers();
      for (const [name, value] of Object.entries(fields)) header.set(name, value);
      const { seq } = await (await opened()).connection.jetstream().publish(subject, data, { headers: header });
      return seq;
    },
    stored: async (stream) => {
      const stored = await readStream((await opened()).manager, stream);
      return stored.map(({ sequence, subject, headers, envelope, text }) => ({ sequence, subject, headers, envelope, text }));
    },
    dispose: async () => {
      const { connection, manager } = await opened();
      for (const { config } of await streams()) await manager.streams.delete(config.name);
      await connection.close();
    },
  };
}
