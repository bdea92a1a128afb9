import type { Message, Server } from "../environment.ts";

/** A write that the server has received. */
export interface Published {
  readonly key: string;
  readonly version: number;
  /** The payload; undefined for a delete. */
  readonly value: string | undefined;
}

/** The writes that the server has received, in order. Messages with the same id are one write. */
export async function published(server: Server, key?: string): Promise<Published[]> {
  return distinct(await server.messages()).filter((write) => key === undefined || write.key === key);
}

export function distinct(messages: readonly Message[]): Published[] {
  const byId = new Map<string | undefined, Published>();
  for (const { headers, envelope } of messages) {
    const id = headers["Nats-Msg-Id"];
    if (envelope === undefined || byId.has(id)) continue;
    byId.set(id, { key: envelope.key, version: envelope.metadata?.version ?? envelope.version ?? 0, value: envelope.value });
  }
  return [...byId.values()];
}
