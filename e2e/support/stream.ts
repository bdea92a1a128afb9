import type { JetStreamManager } from "nats";
import { decode, type WireMessage } from "./wire.ts";

export interface StoredMessage extends WireMessage {
  /** Its sequence in the stream, which the library calls its revision. */
  readonly sequence: number;
}

const AT_ONCE = 64;

/** The messages that a stream holds, oldest first. */
export async function readStream({ streams }: JetStreamManager, name: string): Promise<StoredMessage[]> {
  const { state } = await streams.info(name, { deleted_details: true });
  const deleted = new Set(state.deleted);
  const sequences: number[] = [];
  for (let sequence = state.first_seq; sequence <= state.last_seq; sequence++) if (!deleted.has(sequence)) sequences.push(sequence);
  const read = async (sequence: number): Promise<StoredMessage> => {
    const { subject, header, data } = await streams.getMessage(name, { seq: sequence });
    return { sequence, ...decode({ subject, headers: header, data }) };
  };
  const messages: StoredMessage[] = [];
  while (sequences.length > 0) messages.push(...(await Promise.all(sequences.splice(0, AT_ONCE).map(read))));
  return messages;
}
