import type { StreamWriter } from "../durable/stream-writer.ts";
import type { Settings } from "../options/defaults.ts";
import type { Database } from "../storage/idb/database.ts";
import type { Clock } from "../util/clock.ts";
import type { WriteToStream } from "../write/stream-write.ts";
import { durablePart } from "./durable-part.ts";
import type { Engine } from "./engine.ts";

export interface StreamWritingPorts {
  readonly clock: Clock;
  readonly database: Database;
  readonly settings: Settings;
  readonly engine: Pick<Engine, "commitPublisher" | "committer" | "emit" | "flush" | "pulls" | "transport">;
}

/** Writes that are published before they are committed. Their part loads with the first of them. Only for durable mode. */
export function streamWriting({ clock, database, settings, engine }: StreamWritingPorts): WriteToStream {
  let writer: StreamWriter | undefined;
  return async (...call) => {
    const { StreamApi, StreamWriter: Part } = await durablePart.load();
    const { durable, namespace, timeoutMs } = settings;
    const { commitPublisher, committer, emit, pulls, transport } = engine;
    writer ??= new Part({
      namespace,
      clock,
      database,
      committer,
      transport,
      api: new StreamApi({ transport, clock, settings: { namespace, timeoutMs, durable: durable as NonNullable<typeof durable> } }),
      pulledTo: () => pulls.pulledTo,
      flush: () => Promise.all([commitPublisher.idle(), engine.flush()]),
      emit,
    });
    return writer.write(...call);
  };
}
