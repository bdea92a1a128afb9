import type { ApplyPorts } from "../durable/apply-messages.ts";
import type { EnsuredStream } from "../durable/ensure-stream.ts";
import type { KeyFetcher } from "../durable/key-fetcher.ts";
import type { PullPorts } from "../durable/pull.ts";
import type { StreamApi, StreamApiPorts } from "../durable/stream-api.ts";
import type { PullResult } from "../model/pull-result.ts";
import type { Settings } from "../options/defaults.ts";
import type { PullOptions } from "../options/types.ts";
import type { Clock } from "../util/clock.ts";
import { durablePart } from "./durable-part.ts";
import type { Engine } from "./engine.ts";

export interface StreamOperationsPorts extends Omit<ApplyPorts, "settings" | "clock" | "settler" | "emit">, Pick<PullPorts, "persist"> {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly engine: Pick<Engine, "emit" | "pulls" | "relay" | "settler" | "transport">;
}

/** The operations that ask the stream. Must be called in durable mode only. */
export class StreamOperations {
  readonly #ports: StreamOperationsPorts;
  #fetcher: KeyFetcher | undefined;

  constructor(ports: StreamOperationsPorts) {
    this.#ports = ports;
  }

  /** Creates or checks the stream. The writes that have waited for it are published in the background. */
  async ensure(): Promise<{ stream: string; created: boolean }> {
    const { ensureStream } = await durablePart.load();
    const ensured: EnsuredStream = await ensureStream(await this.#api());
    this.#ports.engine.relay.wake();
    return { ...ensured };
  }

  /** The options must be checked. Pulls of an engine come one after another. */
  async pull(options: PullOptions): Promise<PullResult> {
    const { pull } = await durablePart.load();
    return pull({ ...this.#applyPorts, state: this.#ports.engine.pulls, api: await this.#api() }, options);
  }

  /** See KeyFetcher. Where its part cannot be loaded, nor can the stream be asked. */
  async fetch(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const part = await durablePart.load().catch(() => undefined);
    if (part === undefined) return;
    this.#fetcher ??= new part.KeyFetcher(this.#applyPorts, await this.#api());
    await this.#fetcher.fetch(keys, signal);
  }

  get #applyPorts() {
    const { emit, settler } = this.#ports.engine;
    return { ...this.#ports, emit, settler };
  }

  async #api(): Promise<StreamApi> {
    const { StreamApi } = await durablePart.load();
    const { transport } = this.#ports.engine;
    return new StreamApi({ ...this.#ports, transport } as StreamApiPorts);
  }
}
