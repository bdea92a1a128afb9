import type { EnsuredStream } from "../durable/ensure-stream.ts";
import type { StreamApi, StreamApiPorts } from "../durable/stream-api.ts";
import type { Transport } from "../network/transport.ts";
import type { Settings } from "../options/defaults.ts";
import type { Relay } from "../relay/relay.ts";
import type { Clock } from "../util/clock.ts";
import { durablePart } from "./durable-part.ts";

export interface StreamOperationsPorts {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly transport: Pick<Transport, "use">;
  readonly relay: Pick<Relay, "wake">;
}

/** The operations that ask the stream. Must be called in durable mode only. */
export class StreamOperations {
  readonly #ports: StreamOperationsPorts;

  constructor(ports: StreamOperationsPorts) {
    this.#ports = ports;
  }

  /** Creates or checks the stream. The writes that have waited for it are published in the background. */
  async ensure(): Promise<{ stream: string; created: boolean }> {
    const { ensureStream } = await durablePart.load();
    const ensured: EnsuredStream = await ensureStream(await this.#api());
    this.#ports.relay.wake();
    return { ...ensured };
  }

  async #api(): Promise<StreamApi> {
    const { StreamApi } = await durablePart.load();
    return new StreamApi(this.#ports as StreamApiPorts);
  }
}
