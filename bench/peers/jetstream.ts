import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { wsconnect } from "@nats-io/nats-core";

/** Publishes the last message of each subject once more, as another browser would. */
export async function publishAgain(servers: string, stream: string, subjects: readonly string[]): Promise<void> {
  const connection = await wsconnect({ servers });
  const manager = await jetstreamManager(connection);
  const client = jetstream(connection);
  await Promise.all(
    subjects.map(async (subject) => {
      const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
      if (message === null) throw new Error(`The stream has no message of ${subject}.`);
      await client.publish(subject, message.data);
    }),
  );
  await connection.close();
}
