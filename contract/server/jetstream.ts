import { connect, headers, type JetStreamManager, type NatsConnection } from "nats";
import { decode } from "../../e2e/support/wire.ts";
import type { JetStream, StoredMessage, StreamDescription } from "../environment.ts";

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
      const { manager } = await opened();
      const { state } = await manager.streams.info(stream, { deleted_details: true });
      const deleted = new Set(state.deleted);
      const messages: StoredMessage[] = [];
      for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
        if (deleted.has(seq)) continue;
        const { subject, header, data } = await manager.streams.getMessage(stream, { seq });
        const { headers, envelope, text } = decode({ subject, headers: header, data });
        messages.push({ sequence: seq, subject, headers, envelope, text });
      }
      return messages;
    },
    dispose: async () => {
      const { connection, manager } = await opened();
      for (const { config } of await streams()) await manager.streams.delete(config.name);
      await connection.close();
    },
  };
}
