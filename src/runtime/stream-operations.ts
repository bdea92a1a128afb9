import type { ApplyPorts } from "../durable/apply-messages.ts";
import type { EnsuredStream } from "../durable/ensure-stream.ts";
import type { KeyFetcher } from "../durable/key-fetcher.ts";
import type { PullPorts } from "../durable/pull.ts";
import type { StreamApi } from "../durable/stream-api.ts";
import type { StreamWriter } from "../durable/stream-writer.ts";
import type { PullResult } from "../model/pull-result.ts";
import type { Durable, Settings } from "../options/defaults.ts";
import type { PullOptions } from "../options/types.ts";
import type { Clock } from "../util/clock.ts";
import type { WriteToStream } from "../write/stream-write.ts";
import { durablePart } from "./durable-part.ts";
import type { Engine } from "./engine.ts";

type SharedPorts = Pick<ApplyPorts, "database" | "payloadOf" | "queue" | "useTime"> & Pick<PullPorts, "persist">;

export interface StreamOperationsPorts extends SharedPorts {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly engine: Pick<Engine, "commitPublisher" | "committer" | "emit" | "flush" | "pulls" | "relay" | "settler" | "transport">;
}

/** What a store asks of the stream, and what it publishes before it commits. Must be called in durable mode only. */
export class StreamOperations {
  readonly #ports: StreamOperationsPorts;
  #fetcher: KeyFetcher | undefined;
  #writer: StreamWriter | undefined;

  constructor(ports: StreamOperationsPorts) {
    this.#ports = ports;
  }

  /** Creates or checks the stream. The writes that have waited for it are published in the background. */
  async ensure(): Promise<EnsuredStream> {
    const { ensureStream } = await durablePart.load();
    const ensured = await ensureStream(await this.#api());
    this.#ports.engine.relay.wake();
    return ensured;
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

  /** See StreamWriter. */
  readonly write: WriteToStream = async (...call) => {
    const { StreamWriter: Part } = await durablePart.load();
    const { clock, database, engine, settings } = this.#ports;
    const { commitPublisher, committer, emit, pulls, transport } = engine;
    this.#writer ??= new Part({
      namespace: settings.namespace,
      clock,
      database,
      committer,
      transport,
      api: await this.#api(),
      pulledTo: () => pulls.pulledTo,
      flush: () => Promise.all([commitPublisher.idle(), engine.flush()]),
      emit,
    });
    return this.#writer.write(...call);
  };

  get #applyPorts() {
    const { committer, emit, settler } = this.#ports.engine;
    return { ...this.#ports, committer, emit, settler };
  }

  async #api(): Promise<StreamApi> {
    const { StreamApi } = await durablePart.load();
    const { clock, engine, settings } = this.#ports;
    return new StreamApi({ transport: engine.transport, clock, settings: { ...settings, durable: settings.durable as Durable } });
  }
}
