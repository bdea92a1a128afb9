import type { Connection, Receipt } from "../network/connection.ts";
import type { Reply } from "../network/replies.ts";
import type { Transport } from "../network/transport.ts";
import { streamSubject } from "../model/subject.ts";
import type { Durable, Settings } from "../options/defaults.ts";
import type { Clock } from "../util/clock.ts";
import { within } from "../util/deadline.ts";
import { bytesOf } from "../util/utf8.ts";
import { readAnswer } from "./stream-answer.ts";
import {
  asUnavailable,
  ErrorCode,
  isForbidden,
  noResponders,
  StreamRequestError,
  streamUnavailable,
  type ApiError,
} from "./stream-error.ts";
import { isAtLeast } from "./server-version.ts";

export interface StreamApiPorts {
  readonly transport: Pick<Transport, "use">;
  readonly clock: Clock;
  readonly settings: Pick<Settings, "namespace" | "timeoutMs"> & { readonly durable: Durable };
}

/** A stream, as far as it is used. */
export interface StreamInfo {
  readonly config: {
    readonly name: string;
    readonly subjects?: readonly string[];
    readonly allow_direct?: boolean;
    readonly allow_atomic?: boolean;
    readonly allow_msg_ttl?: boolean;
    readonly max_msgs_per_subject?: number;
  };
  readonly state: { readonly first_seq: number; readonly last_seq: number; readonly messages: number; readonly bytes: number };
  /** ISO 8601. Another stream of the name has another one. */
  readonly created: string;
}

const EMPTY = new Uint8Array();

/** Requests to JetStream on the shared connection. */
export class StreamApi {
  readonly ports: StreamApiPorts;

  constructor(ports: StreamApiPorts) {
    this.ports = ports;
  }

  /** The subjects of the namespace. */
  get subject(): string {
    return streamSubject(this.ports.settings.namespace);
  }

  /** Makes requests on one connection. @throws KeyStoreError STREAM_UNAVAILABLE where no connection is open in time */
  async use<T>(work: (requests: StreamRequests) => Promise<T>): Promise<T> {
    const { clock, settings, transport } = this.ports;
    let isConnected = false;
    try {
      return await transport.use((connection) => {
        isConnected = true;
        return work(new StreamRequests(connection, clock, settings.timeoutMs));
      });
    } catch (error) {
      throw isConnected ? error : asUnavailable(error);
    }
  }

  /**
   * The stream of the namespace: the one of the option `stream`, or of the default name, or the one that has the namespace's subjects.
   * @throws KeyStoreError STREAM_UNAVAILABLE where there is none
   */
  async findStream(requests: StreamRequests): Promise<StreamInfo> {
    const found = await this.lookUpStream(requests);
    if (found !== undefined) return found;
    throw streamUnavailable(`There is no stream "${this.ports.settings.durable.stream}".`);
  }

  /** As `findStream`. Undefined: there is none. */
  async lookUpStream(requests: StreamRequests): Promise<StreamInfo | undefined> {
    const { stream, isNamed } = this.ports.settings.durable;
    const found = await this.infoOf(requests, stream);
    if (found !== undefined || isNamed) return found;
    const [other] = await this.namesOf(requests);
    return other === undefined ? undefined : this.infoOf(requests, other);
  }

  /** Undefined: there is no stream of this name. */
  async infoOf(requests: StreamRequests, name: string): Promise<StreamInfo | undefined> {
    try {
      return await requests.request<StreamInfo>(`$JS.API.STREAM.INFO.${name}`);
    } catch (error) {
      if (error instanceof StreamRequestError && error.errorCode === ErrorCode.STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** The names of the streams that have some of the namespace's subjects. None where the client may not ask. */
  async namesOf(requests: StreamRequests): Promise<readonly string[]> {
    try {
      const { streams } = await requests.request<{ streams: string[] | null }>("$JS.API.STREAM.NAMES", { subject: this.subject });
      return streams ?? [];
    } catch (error) {
      if (isForbidden(error)) return [];
      throw error;
    }
  }
}

/** The requests of one operation. Each reply must come within `timeoutMs` after the one before. */
export class StreamRequests {
  readonly connection: Connection;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor(connection: Connection, clock: Clock, timeoutMs: number) {
    this.connection = connection;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether the server is of this version or a later one. */
  isAtLeast(major: number, minor: number): boolean {
    return isAtLeast(this.connection.serverVersion, major, minor);
  }

  /**
   * A request to the API, whose reply is JSON.
   * @throws StreamRequestError where JetStream refuses it
   * @throws KeyStoreError STREAM_UNAVAILABLE where nobody answers
   */
  async request<T extends object>(subject: string, body?: object): Promise<T> {
    let first: Partial<T & { error: ApiError }> | undefined;
    await this.collect(subject, body, (reply) => {
      first ??= readAnswer(reply);
      return true;
    });
    const { error, ...answer } = first ?? {};
    if (error !== undefined) throw new StreamRequestError(error);
    return answer as T;
  }

  /**
   * A request with many replies.
   * @param onReply returns true for the last one
   * @param areMessages the replies have the subjects of the stream, as those of a consumer do
   * @throws KeyStoreError STREAM_UNAVAILABLE where a reply does not come in time, or nobody answers
   */
  async collect(
    subject: string,
    body: object | undefined,
    onReply: (reply: Reply) => boolean,
    { areMessages = false, signal }: { readonly areMessages?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const { connection } = this;
    let end!: (error?: unknown) => void;
    const ended = new Promise<void>((resolve, reject) => (end = (error) => (error === undefined ? resolve() : reject(error))));
    const fail = (error: unknown): void => end(asUnavailable(error));
    let isFirst = true;
    let isAlive = false;
    let repliedAt = this.#clock.monotonic();
    const listener = {
      onReply: (reply: Reply): void => {
        repliedAt = this.#clock.monotonic();
        if (isFirst && reply.status === 503) return end(noResponders());
        isFirst = false;
        try {
          if (onReply(reply)) end();
        } catch (error) {
          end(error);
        }
      },
      onError: fail,
    };
    const inbox = areMessages ? connection.replies.expectMessages(listener) : connection.replies.expect(listener);
    const abort = (): void => end(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      const data = body === undefined ? EMPTY : bytesOf(JSON.stringify(body));
      const receipt = publish(connection, { subject, data, id: "" }, inbox.subject);
      connection.roundTrip().then(() => {
        isAlive = true;
        // No reply follows a refusal for lack of permissions.
        if (receipt.refusal !== undefined) fail(receipt.refusal);
      }, fail);
      const over = Promise.race([ended, connection.closed.catch(throwUnavailable)]);
      // It may fail while nobody waits for it.
      over.catch(() => undefined);
      // The time begins again with each reply.
      for (let left = this.#timeoutMs; ; left = repliedAt + this.#timeoutMs - this.#clock.monotonic()) {
        if (left <= 0) {
          // Others must not use a connection that does not work.
          if (!isAlive) void connection.close();
          throw asUnavailable(new Error(`No answer within ${this.#timeoutMs} ms`));
        }
        if (
          await within(
            this.#clock,
            left,
            over.then(() => true),
            () => false,
          )
        )
          return;
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      inbox.end();
    }
  }
}

/** @throws KeyStoreError STREAM_UNAVAILABLE when the connection is closed */
function publish(connection: Connection, message: Parameters<Connection["publish"]>[0], replyTo: string): Receipt {
  try {
    return connection.publish(message, { replyTo, header: undefined });
  } catch (error) {
    return throwUnavailable(error);
  }
}

function throwUnavailable(error: unknown): never {
  throw asUnavailable(error);
}
