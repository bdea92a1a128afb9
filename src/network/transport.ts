import type { Message } from "../model/envelope.ts";
import type { Connection } from "./connection.ts";

/** The way to the server. */
export interface Transport {
  /** The largest message that the server accepts, headers included. Infinity until the first connection is open. */
  readonly maxMessageBytes: number;
  /**
   * Publishes messages together. The results have the order of the messages. Never rejects.
   * @param until nothing may be sent after this time, as `clock.monotonic()` counts. Default: no limit
   */
  publish(messages: readonly Message[], until?: number): Promise<PublishResult[]>;
  /**
   * Uses the connection, and keeps it open meanwhile.
   * @throws Error when no connection is open in time; what `work` throws
   */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /**
   * Whether a server answers. Never rejects.
   * @param nothingWaits no write waits to be published: an answer shows that writes can be published again
   */
  ping(nothingWaits?: boolean): Promise<boolean>;
  /** Opens the connection, and keeps it open until the returned function is called. */
  keepConnected(): () => void;
  /** Closes the connection without lingering. Resolves when it is closed. */
  close(): Promise<void>;
}

export type PublishResult =
  /** The server has read the message; in durable mode, the stream has stored it under `revision`. */
  | { readonly status: "confirmed"; readonly revision?: number }
  /** The server refuses this message, now and later. */
  | { readonly status: "rejected"; readonly error: Error }
  /** The server may have read the message or not. It has to be published again. */
  | { readonly status: "unknown"; readonly error: Error };

/** Called by a transport. */
export interface TransportListener {
  connected(): void;
  /** The server has read the messages of a call; in durable mode, the stream has answered all of them. */
  answered(): void;
  /** No connection could be opened. The next attempt should wait. */
  unreachable(error: Error): void;
  /** An open connection failed or did not answer in time, or the stream did not take a message. */
  broken(error: Error): void;
}
