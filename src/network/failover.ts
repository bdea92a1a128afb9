import type { Clock } from "../util/clock.ts";
import { messageOf } from "../util/errors.ts";
import { connectToNats, OutOfTimeError, type ConnectOptions } from "./connect.ts";
import type { Connection } from "./connection.ts";
import type { Connect } from "./shared-connection.ts";

export interface FailoverOptions extends Pick<ConnectOptions, "clock" | "connection" | "connect"> {
  readonly servers: readonly string[];
  /** The limit for one operation, connecting included. */
  readonly timeoutMs: number;
  /** The limit for an attempt in the background, which may take longer than an operation. */
  readonly backgroundMs: number;
}

/**
 * Opens connections for an engine. Tries its servers one after another, never two at the same time. Must be kept as long as the engine:
 * it remembers which servers have failed, so that later operations try the others first.
 */
export class Failover {
  readonly #options: FailoverOptions;
  /** In the order of the next attempts: the server that answered last first, those that have failed last. */
  #servers: readonly string[];
  /** The servers that errors name, if there are several: never with credentials. */
  readonly hosts: string | undefined;

  constructor(options: FailoverOptions) {
    this.#options = options;
    const servers = [...new Set(options.servers)];
    this.hosts = servers.length === 1 ? undefined : servers.map((server) => new URL(server).host).join(", ");
    const { noRandomize = false } = options.connection as { noRandomize?: boolean };
    // So that browsers spread over the servers, also when one of them fails.
    this.#servers = noRandomize ? servers : shuffled(servers, options.clock);
  }

  /** @throws Error that names the servers if there are several, never with credentials */
  readonly open: Connect = async (isUnwanted) => {
    const [first, ...others] = this.#servers as [string, ...string[]];
    if (others.length === 0) return this.#attempt(first, this.#options.backgroundMs);
    try {
      return await this.#openAny([first, ...others], isUnwanted);
    } catch (error) {
      throw new Error(`No NATS server answers at ${this.hosts}. The last failure: ${messageOf(error)}`, { cause: error });
    }
  };

  /**
   * Gives each server an equal share of the operation's time, and leaves a share for the flush. A slow network may need more: if no server
   * answers, the first one that used up its share gets another attempt, in the background.
   */
  async #openAny(servers: readonly string[], isUnwanted: () => boolean): Promise<Connection> {
    const { clock, timeoutMs, backgroundMs } = this.#options;
    const deadline = clock.monotonic() + timeoutMs;
    let failure: unknown;
    let slow: string | undefined;
    for (const [index, server] of servers.entries()) {
      const shareMs = Math.floor((deadline - clock.monotonic()) / (servers.length - index + 1));
      if (shareMs <= 0) return this.#attempt(slow ?? server, backgroundMs);
      try {
        return await this.#attempt(server, shareMs);
      } catch (error) {
        if (isUnwanted()) throw error;
        failure = error;
        if (error instanceof OutOfTimeError) slow ??= server;
      }
    }
    if (slow === undefined) throw failure;
    return this.#attempt(slow, backgroundMs);
  }

  async #attempt(server: string, timeoutMs: number): Promise<Connection> {
    const { clock, connection, connect } = this.#options;
    const others = (): string[] => this.#servers.filter((other) => other !== server);
    const onFailing = (): void => void (this.#servers = [...others(), server]);
    this.#servers = [server, ...others()];
    try {
      return await connectToNats({ clock, server, connection, connect, timeoutMs, onFailing });
    } catch (error) {
      onFailing();
      throw error;
    }
  }
}

function shuffled(servers: readonly string[], clock: Pick<Clock, "random">): string[] {
  const ranks = new Map(servers.map((server) => [server, clock.random()]));
  return servers.toSorted((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0));
}
